"""Files that are written completely or not at all, and their hashes."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path


def sha256(path: Path | str) -> str:
    """Hex sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path | str):
    """Yield a temporary path that takes the place of ``path`` once the block succeeded.

    Nothing half-written is ever seen under the final name, whenever the process dies.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # a link there would be followed
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path | str) -> dict:
    """A JSON object. Raises ValueError naming the file if it is missing or holds anything else."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not readable ({error}); delete it and run again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object; delete it and run again")
    return content


def read_lines(path: Path | str) -> list[str]:
    """The lines of a file; U+2028, U+0085 and the like, at which `splitlines` breaks, are text."""
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file]


def write_lines(path: Path | str, values: Iterable) -> None:
    """Write JSON lines completely or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=False) + "\n")


def write_json(path: Path | str, value) -> None:
    """Write JSON completely or not at all; NaN is refused."""
    with replacing(path) as temporary:
        text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_table(path: Path | str, table) -> None:
    """Write a pandas table as CSV completely or not at all."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)


def lock(file) -> bool:
    """Whether the open file is ours until it is closed; False where another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no flock on this file system: nothing can be known
        return True
    return True
