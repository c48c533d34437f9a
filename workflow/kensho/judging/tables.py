"""The files between the steps of judging: JSON lines of answers and of judges' rows."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kensho.files import read_lines
from kensho.judging.verdicts import COLUMNS

ANSWERS = ["block", "source", "answer", "reference", "answer_sha256"]


def read(path: Path | str, columns: Sequence[str]) -> pd.DataFrame:
    """Lines with these keys. Raises ValueError naming file and line for another one."""
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            held = json.loads(line)
            rows.append([held[name] for name in columns])
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{path}:{number}: not what was written there; delete the file to make it again"
            ) from None
    return pd.DataFrame(rows, columns=list(columns))


def answers_of(arms: Sequence[str], paths: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Answers of each arm, from files in the same order."""
    return {arm: read(path, ANSWERS) for arm, path in zip(arms, paths, strict=True)}


def judged_by(judges: Sequence[str], paths: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Rows of each judge, from files in the same order."""
    return {judge: read(path, COLUMNS) for judge, path in zip(judges, paths, strict=True)}
