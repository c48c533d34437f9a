"""The tasks of the evaluation: two of the held-out sentences, and choices of other sources."""

from collections.abc import Iterable
from pathlib import Path

TASKS = Path(__file__).parent / "tasks"
LIKELIHOOD, TRANSLATION = "tatoeba_nll", "tatoeba_en_ja"


def files(choices: Iterable[str]) -> list[Path]:
    """Definitions of all that an arm is asked."""
    return [TASKS / f"{name}.yaml" for name in (LIKELIHOOD, TRANSLATION, *choices)]
