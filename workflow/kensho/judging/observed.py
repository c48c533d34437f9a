"""Answers and judges' rows as observations: experiments translation, translation_preference, marks.

A block is "cluster/item", but for comparisons of all models (``ladder``), which count each item for
itself. Arms are called ``before`` and ``after`` whatever they are; anchors keep their names. A
judge is a replicate, one for all; only judges that may judge
(:func:`kensho.judging.verdicts.standing`) count, and where none may, the conditions say why the
metric is absent.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import pandas as pd
import sacrebleu

from kensho.jlce.scoring import words
from kensho.judging import verdicts
from kensho.judging.items import OF_D1, Item
from kensho.judging.settings import Question
from kensho.judging.verdicts import Kind, Standing
from kensho.metrics import OVER
from kensho.observations import Row

TRANSLATION, PREFERENCE, MARKS = "translation", "translation_preference", "marks"
BLEU = {  # how words are told apart, by direction
    "en-ja": "MeCab with UniDic, as the sixteen tasks have it; sacrebleu's ja-mecab takes IPADIC",
    "ja-en": "sacrebleu's 13a",
}
LADDER = "ladder"
JUDGES = "judges"
ARMS = ("before", "after")
CONTEXT = "_in_context"  # behind a metric of turns with prior context
Judged = Mapping[str, pd.DataFrame]  # rows of each judge


def translations(
    arm: str, items: Sequence[Item], answers: Mapping[str, str], comet: Mapping[str, float]
) -> Iterator[Row]:
    """chrF2 and BLEU of each translation and of each set (``corpus_``), 0 to 100; COMET if
    brought, as ``comet_mt`` of the sets that D-1 averages, where all of them are scored.

    Metrics of turns with prior context end in ``_in_context``.
    """
    by_set: dict[str, list[Item]] = {}
    for item in items:
        if item.direction:
            by_set.setdefault(item.set, []).append(item)
    d1 = {item.set for item in items if item.block in comet} >= {*OF_D1}
    for name, own in by_set.items():
        direction = own[0].direction
        hypotheses = [_words(answers[item.block], direction) for item in own]
        references = [_words(item.reference, direction) for item in own]
        tokenize = "none" if direction == "en-ja" else "13a"
        for item, hypothesis, reference in zip(own, hypotheses, references, strict=True):
            place, behind = (TRANSLATION, arm, item.unit, 0), CONTEXT if item.before else ""
            plain = sacrebleu.sentence_chrf(answers[item.block], [item.reference])
            bleu = sacrebleu.sentence_bleu(hypothesis, [reference], tokenize=tokenize)
            yield Row(*place, "chrf" + behind, plain.score, "points")
            yield Row(*place, "bleu" + behind, bleu.score, "points")
            if item.block in comet:
                metric = "comet_mt" if d1 and item.set in OF_D1 else "comet"
                yield Row(*place, metric, comet[item.block], "share")
        whole = sacrebleu.corpus_chrf(
            [answers[item.block] for item in own], [[item.reference for item in own]]
        )
        corpus = sacrebleu.corpus_bleu(hypotheses, [references], tokenize=tokenize, force=True)
        yield Row(TRANSLATION, arm, name, 0, "corpus_chrf", whole.score, "points")
        yield Row(TRANSLATION, arm, name, 0, "corpus_bleu", corpus.score, "points")


def _words(text: str, direction: str | None) -> str:
    return words(text) if direction == "en-ja" else text


def preferences(
    items: Sequence[Item], judged: Judged, names: Mapping[str, str], anchors: Sequence[str]
) -> Iterator[Row]:
    """Pairs in both orders (arm ``after-before``, and ``ladder`` for all models), and each arm's
    share of wins against the fixed set, ties half (``win_rate``).

    ``names`` maps the two arms' own names to ``before`` and ``after``. A pair that has a verdict in
    one order alone is left out of both, an item with such a pair has no win rate of either arm.
    """
    context = {item.block for item in items if item.before}
    unit = {item.block: item.unit for item in items}
    for replicate, rows in enumerate(judged.values()):
        rows = rows[rows["kind"] == "pair"].replace({"first": names, "second": names})
        for block, own in rows.groupby("block", sort=False):
            value = {
                (one, other): won
                for one, other, won in zip(
                    own["first"], own["second"], own["value"].astype(float), strict=True
                )
            }
            unread = {pair for pair, won in value.items() if math.isnan(won)}
            pairs = {p: won for p, won in value.items() if not unread & {p, p[::-1]}}
            behind = CONTEXT if block in context else ""
            for (one, other), won in pairs.items():
                yield _row(PREFERENCE, LADDER, block, replicate, f"{one}{OVER}{other}", won)
            if ("after", "before") in pairs:
                orders = pairs["after", "before"], 1 - pairs["before", "after"]
                for metric, won in zip(("first", "second"), orders, strict=True):
                    metric = f"preference.{metric}"
                    yield _row(PREFERENCE, "after-before", unit[block], replicate, metric, won)
            if anchors and len(pairs) == len(value):
                for arm in ARMS:
                    won = [pairs[arm, one] + 1 - pairs[one, arm] for one in anchors]
                    share = sum(won) / (2 * len(won))
                    metric = "win_rate" + behind
                    yield _row(PREFERENCE, arm, unit[block], replicate, metric, share)


def marks(items: Sequence[Item], judged: Judged, names: Mapping[str, str]) -> Iterator[Row]:
    """Marks, 1 to 10, of what both arms wrote, where a judge has marked both.

    ``mark`` and ``weighted_mark`` are of open questions, the second times a weight by which all
    sets count alike (Shaberi's average is that of its four sets' means, so there is none where one
    of them is not marked); ``mark_in_context`` of translations.
    """
    translated = {item.block for item in items if item.direction}
    unit = {item.block: item.unit for item in items}
    for replicate, rows in enumerate(judged.values()):
        rows = rows[rows["kind"] == "mark"].replace({"first": names})
        table = rows.assign(value=rows["value"].astype(float))
        table = table.pivot(index="block", columns="first", values="value").dropna()
        asked = [block for block in table.index if block not in translated]
        weights = set_weights(asked)
        whole = {block.split("/")[0] for block in asked} >= {*get_args(Question)}
        for block, own in table.iterrows():
            for arm in ARMS:
                place = MARKS, arm, unit[str(block)], replicate
                if block in translated:
                    yield Row(*place, "mark" + CONTEXT, own[arm], "points")
                else:
                    yield Row(*place, "mark", own[arm], "points")
                    if whole:
                        yield Row(*place, "weighted_mark", own[arm] * weights[block], "points")


def set_weights(blocks: Sequence[str]) -> dict[str, float]:
    """Weight of each block "set/item": the mean of weighted marks is that of the sets' means."""
    sizes = Counter(block.split("/")[0] for block in blocks)
    return {b: len(blocks) / (len(sizes) * sizes[b.split("/")[0]]) for b in blocks}


def standings(
    experiment: str, kind: Kind, standing_of: Mapping[str, Standing], kappas: Mapping[str, tuple]
) -> Iterator[Row]:
    """How each judge did (arm ``judges``): planted pairs right, what it gave no verdict on, and its
    agreement with others."""
    for judge, own in standing_of.items():
        yield Row(experiment, JUDGES, judge, 0, "planted_right", own.right, "share")
        if own.items:
            missing = own.incomplete / own.items
            yield Row(experiment, JUDGES, judge, 0, "missing", missing, "share")
        for outcome, count in own.outcomes.items():
            metric = outcome.replace(" ", "_")
            yield Row(experiment, JUDGES, judge, 0, metric, float(count), "replies")
    for pair, (kappa, count) in kappas.items():
        yield Row(experiment, JUDGES, pair, 0, "weighted_kappa", kappa, "-")
        yield Row(experiment, JUDGES, pair, 0, "judged_by_both", float(count), "answers")


def by_judges(
    experiment: str, kind: Kind, judged: Judged, least_right: float, most_missing: float
) -> tuple[Judged, dict[str, Standing], list[Row]]:
    """Rows of the judges that may judge, how all of them did, and that as observations."""
    standing_of = {
        name: verdicts.standing(rows, kind, least_right, most_missing)
        for name, rows in judged.items()
    }
    rows = [*standings(experiment, kind, standing_of, verdicts.agreement(judged, kind))]
    good = {name: judged[name] for name, own in standing_of.items() if own.why is None}
    return good, standing_of, rows


def absent(standing_of: Mapping[str, Standing], metrics: Sequence[str], why: str) -> dict[str, str]:
    """Why metrics could not be had: no judge that may judge, else ``why``."""
    failed = "; ".join(f"{name}: {own.why}" for name, own in standing_of.items())
    if all(own.why for own in standing_of.values()):
        why = f"no judge can be relied on: {failed}"
    return dict.fromkeys(metrics, why)


def _row(
    experiment: str, arm: str, block: object, replicate: int, metric: str, value: float
) -> Row:
    return Row(experiment, arm, str(block), replicate, metric, float(value), "share")
