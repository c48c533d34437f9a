"""Back-translation: a sentence is translated and back, by models (Sennrich et al. 2016, P16-1009).

Here both directions are run on the Japanese side of a training pair, with one language between
(ja-en-ja, technique ``round_trip``) or two (ja-en-zh-ja, ``multi_hop``). One model translates all
legs, or each leg has its own.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pandas as pd

from kensho.augment import Files, shots, variant_rows, variant_table
from kensho.augment.asking import LABELS, Asked, Examples, drawn, unfit


def legs(via: Sequence[str]) -> list[tuple[str, str]]:
    """Languages from which and into which is translated, in order."""
    return list(pairwise(["ja", *via, "ja"]))


def variants(
    samples: pd.DataFrame,
    technique: str,
    via: Sequence[str],
    asked: Sequence[Asked],
    examples: Sequence[Examples],
) -> pd.DataFrame:
    """Each sample through the legs: ``COLUMNS``, and ``unfit``, why its answer is no sentence.

    ``asked`` and ``examples`` have one entry for each leg. A text that is unfit on its way goes no
    further: its row has an empty ``ja``, and ``unfit`` names the leg.
    """
    parents = samples["ja"].tolist()
    texts, faults = list(parents), [""] * len(parents)
    ways: list[dict[str, str]] = [{} for _ in parents]
    for (source, target), model, shown in zip(legs(via), asked, examples, strict=True):
        going = [place for place, fault in enumerate(faults) if not fault]
        for place, answer in zip(
            going, model.answers([texts[place] for place in going], shown), strict=True
        ):
            fault = unfit(answer, parents[place], target)
            last = target == "ja"
            faults[place] = f"{source}-{target}: {fault}" if fault and not last else fault
            texts[place] = "" if fault and not last else answer.text
            if not last:
                ways[place][target] = answer.text
    rows = []
    for sample, text, way in zip(samples.itertuples(), texts, ways, strict=True):
        rows += variant_rows(sample, technique, [(text, way)])
    return variant_table(rows).assign(unfit=faults)


def technique(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """One round trip of each sample that is drawn; ``limit`` is not reached."""
    via = settings["via"]
    name = "round_trip" if len(via) == 1 else "multi_hop"
    limits = {key: settings[key] for key in ("max_new_tokens", "batch")}
    opened = {path: Asked(path, **limits) for path in dict.fromkeys(inputs["models"])}
    asked = [opened[path] for path in inputs["models"]]
    asked = asked * len(legs(via)) if len(asked) == 1 else asked
    sentences, used = shots.read(inputs)
    known = shots.translations(sentences, used, seed=seed, count=settings["shots"])
    examples = [_examples(leg, known) for leg in legs(via)]
    taken = drawn(samples, name, seed=seed, most=settings["samples"])
    return variants(taken, name, via, asked, examples)


def _examples(leg: tuple[str, str], known: Sequence[tuple[str, str]]) -> Examples:
    """Of a leg between Japanese and English; the corpus holds no other pairs to show."""
    pairs = {("ja", "en"): known, ("en", "ja"): [(en, ja) for ja, en in known]}
    return Examples(LABELS[leg[0]], LABELS[leg[1]], pairs.get(leg, []))
