"""COMET scores that are brought: its checkpoint is a pickle, and its package wants older libraries.

Whoever has both scores `results/judging/<arm>/answers.jsonl` (docs/judging.md) and brings a table.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kensho.validation import suggestion

COLUMNS = ["arm", "block", "answer_sha256", "score"]


def _table(path: Path | str) -> pd.DataFrame:
    """Texts of the columns, by line."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            head, lines = next(reader, []), [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"{path}: not readable ({error}); bring it as CSV") from None
    for name in COLUMNS:
        if head.count(name) != 1:
            raise ValueError(f"{path}: {head.count(name)} columns {name}; give one")
    for number, cells in lines:
        if len(cells) != len(head):
            raise ValueError(f"{path}, line {number}: {len(cells)} cells of {len(head)}; mend it")
    table = pd.DataFrame([cells for _, cells in lines], columns=head, dtype=object)
    return table.set_index(pd.Index([number for number, _ in lines]))


def read(path: Path | str, answers: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, float]]:
    """Scores by arm and block, of answers (columns block, answer_sha256) by arm.

    Raises ValueError, one line, for another form, a score of another answer or arm, one that stands
    twice, and a translation of a set of the table that lacks its score, by any of the arms of it.
    """
    table = _table(path)
    if twice := table[table.duplicated(["arm", "block"])].head(1).to_dict("records"):
        raise ValueError(f"{path}: {twice[0]['arm']}, {twice[0]['block']} stands twice; leave one")
    scores: dict[str, dict[str, float]] = {}
    for row in table.itertuples():
        where = f"{path}, line {row.Index}"
        if str(row.arm) not in answers:
            raise ValueError(
                f"{where}: no arm '{row.arm}' wrote, {suggestion(row.arm, answers)}; mend the "
                "name, or drop its rows"
            )
        own = answers[str(row.arm)].set_index("block")["answer_sha256"]
        if own.get(str(row.block)) != row.answer_sha256:
            raise ValueError(
                f"{where}: {row.arm} has written something else for {row.block}; score the answers "
                "of this run again"
            )
        score = pd.to_numeric(row.score, errors="coerce")
        if not -1 <= score <= 2:  # wmt22-comet-da gives about 0 to 1
            raise ValueError(f"{where}: {row.score} is no COMET score; mend it")
        scores.setdefault(str(row.arm), {})[str(row.block)] = float(score)
    sets = {block.split("/")[0] for own in scores.values() for block in own}
    for arm, own in scores.items():
        for block in answers[arm]["block"]:
            if block.split("/")[0] in sets and block not in own:
                raise ValueError(f"{path}: {arm} has no score of {block}; add it")
    return scores
