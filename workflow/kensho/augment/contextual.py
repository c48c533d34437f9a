"""Contextual replacement: words that a language model finds as likely as those that stood there.

Kobayashi 2018 (N18-2072) and Wu et al. 2019 (CBERT, arXiv 1812.06705) draw the new word from the
model. Here it is an attested one of the same part of speech, inflected form and neighbour, so that
grammar holds, and the model ranks. A causal model gives the log-likelihood of the whole sentence,
both sides of the gap included ("contextual (causal)"); a masked one that of the word's tokens, all
of them masked at once ("contextual (masked)"). Neither knows that the meaning is to stay: these
variants need the meaning guard.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from kensho.augment import Files, sample_rng, variant_rows, variant_table
from kensho.augment.asking import Asked, drawn
from kensho.augment.synonyms import attested, occurrences
from kensho.jlce import fast
from kensho.linguistics.sudachi import check
from kensho.linguistics.tokens import Analyser
from kensho.models.encoding import start

UNLIKELY = "less likely than the original by more than the margin"
NODES = 256  # tokens of a pass, each with its logits
Slot = tuple[str, str, str]  # part of speech, inflected form, neighbour
Place = tuple[str, int, int]  # text, and where the word in question begins and ends
Ranking = Callable[[Sequence[Place]], list[float]]


class Words(NamedTuple):
    """Words that fill a slot: lemmas, their commonest surfaces, and how often they occur there."""

    lemmas: np.ndarray
    surfaces: np.ndarray
    counts: np.ndarray


class Proposal(NamedTuple):
    """A text with one word replaced, and where it was."""

    text: str
    begin: int
    old: str
    new: str


def slots(words: pd.DataFrame, minimum_count: int) -> dict[Slot, Words]:
    """An ungrouped inventory by slot, without lemmas attested fewer than ``minimum_count`` times.

    A lemma fills a slot in every form that it was seen in, if it was seen with that neighbour.
    """
    words = words[words.groupby(["lemma", "pos"])["count"].transform("sum") >= minimum_count]
    by_form = words.sort_values(["count", "surface"], kind="stable").drop_duplicates(
        ["lemma", "pos", "form"], keep="last"
    )
    seen = words.groupby(["lemma", "pos", "context"], as_index=False)["count"].sum()
    both = by_form[["lemma", "pos", "form", "surface"]].merge(seen, on=["lemma", "pos"])
    both = both.sort_values(["pos", "form", "context", "lemma"], ignore_index=True)
    filled: dict[Slot, Words] = {}
    for slot, group in both.groupby(["pos", "form", "context"]):
        columns = (group[name].to_numpy() for name in ("lemma", "surface", "count"))
        filled[slot] = Words(*columns)
    return filled


def proposals(
    text: str,
    known: Mapping[Slot, Words],
    candidates: int,
    rng: np.random.Generator,
    analyser: Analyser = "sudachi",
) -> list[Proposal]:
    """Texts with one content word replaced, up to ``candidates`` for each, the common ones more."""
    made = []
    for word in occurrences(text, analyser, grouped=False):
        fill = known.get((word["pos"], word["form"], word["context"]))
        if fill is None:
            continue
        others = (fill.lemmas != word["lemma"]) & (fill.surfaces != word["surface"])
        surfaces, counts = fill.surfaces[others], fill.counts[others]
        if not len(surfaces):
            continue
        taken = rng.choice(
            len(surfaces), min(candidates, len(surfaces)), replace=False, p=counts / counts.sum()
        )
        for new in sorted({str(surfaces[place]) for place in taken}):
            changed = text[: word["begin"]] + new + text[word["end"] :]
            made.append(Proposal(changed, word["begin"], word["surface"], new))
    return made


def variants(
    samples: pd.DataFrame,
    technique: str,
    *,
    seed: int,
    per_sample: int,
    candidates: int,
    margin: float,
    words: pd.DataFrame,
    rank: Ranking,
    minimum_count: int = 3,
    analyser: Analyser = "sudachi",
) -> pd.DataFrame:
    """The ``per_sample`` likeliest texts of each sample: ``COLUMNS``, and ``unfit``.

    ``words`` is an ungrouped inventory by the same ``analyser``. ``rank`` gives log-likelihoods in
    nats; a text that is less likely than the original by more than ``margin`` is unfit, and stands
    here where none of the sample's is likelier. ``operation`` says by how many nats, of how many
    proposals, and how many were within the margin.
    """
    check(samples["ja"], "samples")
    known = slots(words, minimum_count)
    made = {
        sample.id: proposals(
            sample.ja, known, candidates, sample_rng(seed, technique, sample.id), analyser
        )
        for sample in samples.itertuples()
    }
    parents = dict(zip(samples["id"], samples["ja"], strict=True))
    asked: dict[Place, float] = {}
    for name, texts in made.items():
        for one in texts:
            asked[one.text, one.begin, one.begin + len(one.new)] = 0.0
            asked[parents[name], one.begin, one.begin + len(one.old)] = 0.0
    places = sorted(asked)
    likely = dict(zip(places, rank(places), strict=True))
    rows, faults = [], []
    for sample in samples.itertuples():
        scored = []
        for one in made[sample.id]:
            before = likely[sample.ja, one.begin, one.begin + len(one.old)]
            after = likely[one.text, one.begin, one.begin + len(one.new)]
            scored.append((round(after - before, 2), one))
        scored.sort(key=lambda item: (-item[0], item[1]))
        within = sum(gain >= -margin for gain, _ in scored)
        best = scored[: min(per_sample, max(1, within))]
        of = {"proposed": len(scored), "within": within}
        rows += variant_rows(
            sample,
            technique,
            [(one.text, {"replaced": [[one.old, one.new]], "nats": g, **of}) for g, one in best],
        )
        faults += ["" if gain >= -margin else UNLIKELY for gain, _ in best]
    return variant_table(rows).assign(unfit=faults)


def by_sentence(asked: Asked) -> Ranking:
    """Log-likelihood of the whole sentence under a causal model; shared beginnings are read once.

    Raises ValueError for a model of another kind, or whose beginnings cannot be shared.
    """
    if asked.family != "causal" or (why := fast.unfit(asked.model)):
        why = why if asked.family == "causal" else f"it is a {asked.family} model"
        raise ValueError(f"contextual_causal cannot ask {asked.name}: {why}; name another model")
    begin = [start(asked.tokenizer)]

    def rank(places: Sequence[Place]) -> list[float]:
        texts = sorted({text for text, _, _ in places})
        requests = [(begin, asked.tokenizer.encode(t, add_special_tokens=False)) for t in texts]
        scores = fast.loglikelihoods(asked.model, requests, nodes=NODES, least=1)
        likely = {text: score for text, (score, _) in zip(texts, scores, strict=True)}
        return [likely[text] for text, _, _ in places]

    return rank


def by_gap(asked: Asked) -> Ranking:
    """Log-likelihood of the word's tokens under a masked model, all of them masked.

    Raises ValueError for a model of another kind.
    """
    if asked.family != "masked":
        raise ValueError(
            f"contextual_masked cannot ask {asked.name}, a {asked.family} model; name a masked one"
        )
    tokenizer = asked.tokenizer

    @torch.inference_mode()
    def rank(places: Sequence[Place]) -> list[float]:
        encoded = [_in_gap(tokenizer, place) for place in places]
        order = sorted(range(len(places)), key=lambda i: (len(encoded[i][0]), places[i]))
        scores = [0.0] * len(places)
        for first in range(0, len(order), asked.batch):
            rows = order[first : first + asked.batch]
            padded = tokenizer.pad(
                {"input_ids": [encoded[i][0] for i in rows]}, return_tensors="pt"
            )
            ids = padded["input_ids"].to(asked.model.device)
            masked = ids.clone()
            for row, i in enumerate(rows):
                masked[row, encoded[i][1]] = tokenizer.mask_token_id
            mask = padded["attention_mask"].to(asked.model.device)
            logits = asked.model(input_ids=masked, attention_mask=mask).logits
            for row, i in enumerate(rows):
                gap = encoded[i][1]
                one = logits[row, gap].float().log_softmax(dim=-1)
                scores[i] = float(one[range(len(gap)), ids[row, gap]].sum())
        return scores

    return rank


def _in_gap(tokenizer, place: Place) -> tuple[list[int], list[int]]:
    """Tokens of a text, and which of them hold characters of the word."""
    text, begin, end = place
    coded = tokenizer(text, return_offsets_mapping=True)
    spans = enumerate(coded["offset_mapping"])
    return coded["input_ids"], [i for i, (a, b) in spans if a < end and b > begin]


def causal(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """Variants ranked by a causal model; ``limit`` is not reached."""
    return _technique("contextual_causal", by_sentence, samples, inputs, settings, seed)


def masked(samples: pd.DataFrame, inputs: Files, settings: Mapping, *, limit: int, seed: int):
    """Variants ranked by a masked model; ``limit`` is not reached."""
    return _technique("contextual_masked", by_gap, samples, inputs, settings, seed)


def _technique(name: str, ranking: Callable[[Asked], Ranking], samples, inputs, settings, seed):
    check(samples["ja"], inputs["train"], first=2)
    (path,) = inputs["models"]
    rank = ranking(Asked(path, max_new_tokens=1, batch=settings["batch"]))
    own = {key: settings[key] for key in ("per_sample", "candidates", "margin", "analyser")}
    taken = drawn(samples, name, seed=seed, most=settings["samples"])
    words = attested(inputs, settings, grouped=False)
    return variants(taken, name, seed=seed, words=words, rank=rank, **own)
