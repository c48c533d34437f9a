"""Turns of dialogues between people with personas (RealPersonaChat), as samples of a study."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kensho.data.published import real_persona_chat
from kensho.data.rows import Fault
from kensho.data.sources import fetched


def read(record: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Columns dialogue, turn, speaker, text, and the record of the source.

    Raises ValueError where the source could not be had or holds something else.
    """
    path, source = fetched(record)
    if path is None:
        raise ValueError(source["reason"])
    rows = []
    for one in real_persona_chat(path):
        if isinstance(one, Fault):
            raise ValueError(f"{path}: {one.reason}; delete {record} to fetch it again")
        for turn, line in enumerate(one.turns or []):
            rows.append((one.document, turn, line["speaker"], line["text"].strip()))
    return pd.DataFrame(rows, columns=["dialogue", "turn", "speaker", "text"]), source


def divided(samples: pd.DataFrame, parts: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples to learn and to ask; one of so many ``parts`` of the dialogues is asked."""
    order = np.random.default_rng(seed).permutation(samples["dialogue"].unique())
    held = samples["dialogue"].isin(order[: len(order) // parts])
    return samples[~held], samples[held]


def continuations(turns: pd.DataFrame, before: int, most: int) -> pd.DataFrame:
    """Samples: a turn of at most ``most`` characters with the ``before`` turns ahead of it.

    Columns dialogue, speaker, prompt, completion. Speakers are A, who answers, and B. Turns without
    so many ahead of them, empty ones and longer ones are none.
    """
    rows = []
    for dialogue, own in turns.groupby("dialogue", sort=False):
        spoken = list(own.sort_values("turn")[["speaker", "text"]].itertuples(index=False))
        for place in range(before, len(spoken)):
            answer, ahead = spoken[place], spoken[place - before : place]
            if answer.text and sum(len(t.text) for t in (answer, *ahead)) <= most:
                lines = [f"{'A' if t.speaker == answer.speaker else 'B'}: {t.text}" for t in ahead]
                prompt = "\n".join([*lines, "A:"])
                rows.append((dialogue, answer.speaker, prompt, f" {answer.text}"))
    return pd.DataFrame(rows, columns=["dialogue", "speaker", "prompt", "completion"])
