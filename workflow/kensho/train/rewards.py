"""Rewards of answers by rule, each between 0 and 1 (docs/stages.md)."""

from collections.abc import Mapping

import sacrebleu

from kensho.models.vocabulary import JAPANESE


def reward(answer: str, reference: str, weights: Mapping[str, float], *, ended: bool) -> float:
    """Sum of the rules' rewards by their weights.

    ``chrf``: sentence chrF2 (Popović 2015, sacrebleu's default) against the reference, by 100;
    ``japanese``: share of Japanese characters; ``ended``: 1 for an answer that ends by itself.
    """
    letters = "".join(answer.split())
    rules = {
        "chrf": lambda: sacrebleu.sentence_chrf(answer, [reference]).score / 100,
        "japanese": lambda: sum(map(len, JAPANESE.findall(letters))) / max(1, len(letters)),
        "ended": lambda: float(ended),
    }
    return sum(weight * rules[rule]() for rule, weight in weights.items())
