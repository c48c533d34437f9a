"""Reading of crates, zipped or not: their paths are those of the folder that was exported."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

MOST_FILES = 100_000
MOST_BYTES = 4 * 2**30  # of all that is read of one crate


@contextmanager
def opened(crate: Path, *wanted: str) -> Iterator[Path]:
    """The folder of a crate; of a zip a temporary one with the files that match a pattern.

    Raises ValueError naming a crate that is neither folder nor zip, holds names that lead out of
    it, or more than MOST_FILES or MOST_BYTES.
    """
    if crate.is_dir():
        yield crate
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(crate) as archive:
                for member in _members(archive, wanted):
                    target = Path(folder, member.filename)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as source, open(target, "xb") as file:
                        shutil.copyfileobj(source, file)
        except (
            OSError,
            ValueError,
            RuntimeError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise ValueError(f"{crate}: no crate that can be read ({error})") from None
        try:
            yield Path(folder)
        except ValueError as error:  # names the crate, not where it lay for a moment
            raise ValueError(str(error).replace(folder, str(crate))) from None


def _members(archive: zipfile.ZipFile, wanted: Sequence[str]) -> list[zipfile.ZipInfo]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
            raise ValueError(f"'{member.filename}' leads out of it")
    members = [m for m in members if any(PurePosixPath(m.filename).match(p) for p in wanted)]
    size = sum(member.file_size for member in members)  # no more than this is read of each
    if len(members) > MOST_FILES or size > MOST_BYTES:
        raise ValueError(f"{len(members)} files of {size} bytes are too many")
    return members


def refusal(crates: Sequence[str]) -> str | None:
    """Why these cannot be pooled; None where they are two or more that are there."""
    if len(crates) < 2:
        return f"{len(crates)} given; name the crates of two sites or more, zips or folders"
    gone = [path for path in crates if not Path(path).exists()]
    return f"{gone[0]}: not there; mend the path, or leave it out" if gone else None


def names(crates: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell the crates from each other."""
    parts = [path.absolute().parts for path in crates]
    for depth in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(path[-depth:]) for path in parts]
        if len(set(ends)) == len(ends):
            return ends
    raise ValueError(f"{crates[0]}: stands there twice; leave one out")
