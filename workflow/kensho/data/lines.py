"""Files line by line: unpacked on the way, and no line longer than is allowed."""

import gzip
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

LONGEST = 5_000_000  # bytes of a line or a cell
PACKED: dict[str, Callable] = {".gz": gzip.open, ".xz": lzma.open}


def opened(path: Path) -> IO[bytes]:
    return PACKED.get(path.suffix, open)(path, "rb")


def lines(file: IO[bytes], longest: int, end: int | None = None) -> Iterator[tuple[bytes, int]]:
    """Lines that begin before ``end``, each with its bytes without its end.

    Of a line that is too long nothing is left but the quote that has no partner in it.
    """
    while end is None or file.tell() < end:
        line = file.readline(longest + 1)
        if not line:
            return
        length, quotes = len(line), line.count(b'"')
        while len(line) > longest and not line.endswith(b"\n"):
            line = file.readline(longest + 1)
            length += len(line)
            quotes += line.count(b'"')
            if not line:
                break
        length -= line.endswith(b"\n")
        yield (line if length <= longest else b'"' * (quotes % 2)), length


def text(line: bytes, length: int, longest: int) -> str:
    """Raises ValueError saying what is wrong with a line."""
    if length > longest:
        raise ValueError(f"{length:,} bytes in one line, more than {longest:,}")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1} of the line") from None
