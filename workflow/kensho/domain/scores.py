"""What judges say of the study's answers, 0 to 3, as observations: experiment `domain_scores`.

Judges are qualified as those of `judging` are (:func:`kensho.judging.verdicts.standing`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from kensho.domain.arms import CHANGE, SCORES
from kensho.judging import prompts
from kensho.judging.items import Item
from kensho.judging.observed import Judged
from kensho.judging.verdicts import Question
from kensho.observations import Row, read

OF_ITS_FILE = ("experiment", "arm", "tier", "observations_sha256")


def served(paths: Iterable[str]) -> dict[str, dict]:
    """Conditions of the arms that were to answer, by arm, but for what is of their own files."""
    held = {Path(path).stem: read(path)[1] for path in paths if path.endswith(".csv")}
    return {
        arm: {name: value for name, value in one.items() if name not in OF_ITS_FILE}
        for arm, one in held.items()
    }


def questions(items: Sequence[Item], written: pd.DataFrame) -> list[Question]:
    """A question for a score of each answer (columns arm, block, answer)."""
    of = {item.block: item for item in items}
    return [
        Question(
            "score", one.block, one.arm, "", prompts.single(of[one.block], one.answer, "score")
        )
        for one in written.itertuples()
    ]


def scores(judged: Judged, attention: Mapping[str, str]) -> Iterator[Row]:
    """``score`` of the answers to each question of which a judge has scored all, a replicate for
    each judge; and by kind of ``attention`` (given by model) how much Q4_K_M changes it against
    F16, the mean over the models of the kind.
    """
    for replicate, rows in enumerate(judged.values()):
        own = rows[rows["kind"] == "score"].assign(value=lambda of: of["value"].astype(float))
        table = own.pivot(index="block", columns="first", values="value").dropna()
        for arm in table:
            for block, score in table[arm].items():
                yield Row(SCORES, str(arm), str(block), replicate, "score", score, "points")
        for kind in sorted(set(attention.values())):
            changes = [
                table[f"{name}-q4_k_m"] - table[f"{name}-f16"]
                for name, of in attention.items()
                if of == kind and {f"{name}-q4_k_m", f"{name}-f16"} <= {*table}
            ]
            if changes:
                for block, change in (sum(changes) / len(changes)).items():
                    yield Row(SCORES, kind, str(block), replicate, CHANGE, change, "points")


def why_absent(arm: str, answered: Mapping[str, Mapping], attention: Mapping[str, str]) -> str:
    """Why an arm has no score, or a kind of attention no change; ``answered`` are
    conditions of the arms that were to answer."""
    why = {name: one.get("absent", {}).get("seconds", "") for name, one in answered.items()}
    if arm in answered:
        return why[arm] or "it has no answer that was scored"
    own = [name for name, kind in attention.items() if kind == arm]
    pairs = [f"{name}-{form}" for name in own for form in ("f16", "q4_k_m")]
    none = f"no model with attention of the kind {arm} is adapted; name one in domain.crossed"
    return "; ".join(dict.fromkeys(filter(None, map(why.get, pairs)))) or none
