"""What a brought file is, so that one that cannot be read is named for what it is."""

from __future__ import annotations

import gzip
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

MISSING = "missing; put it there or mend the path in the claim"
FOLDER = "is a folder; name the file in it"
# What reading a damaged zip archive can raise.
DAMAGED = (
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
HEAD = 65_536  # bytes by which a file is told
GZIP = b"\x1f\x8b"
EXCEL = "an Excel workbook; save the sheet as CSV"
UTF16 = "UTF-16; save it as UTF-8"
# First bytes of what is never read, and what to do.
FOREIGN = {
    b"\xd0\xcf\x11\xe0": EXCEL,
    b"BZh": "compressed with bzip2; unpack it (gzip is read as it is)",
    b"\xfd7zXZ": "compressed with xz; unpack it (gzip is read as it is)",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it (gzip is read as it is)",
    b"ARROW1": "an Arrow file; save it as Parquet",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"%PDF": "a PDF; bring the table behind it",
    b"\xff\xfe": UTF16,
    b"\xfe\xff": UTF16,
    b"version https://git-lfs": "a pointer of Git LFS; fetch the file that it stands for",
}
# What a claim calls each format that is told by its content, and how it is named to the user.
TITLES = {
    "parquet": "Parquet",
    "inspect": "a log of Inspect",
    "lm-eval": "a log of lm-evaluation-harness",
    "lm-eval-results": "results.json of lm-evaluation-harness, one mean for each task",
    "helm": "HELM's per-instance statistics",
    "alpaca-eval": "annotations of alpaca_eval",
    "jsonl": "JSON lines",
    "csv": "CSV or other text",
}
# Formats that can also be read as another one, whose keys the claim names.
ALSO = {
    "jsonl": ("lm-eval", "helm", "alpaca-eval"),
    "pairwise": ("csv",),
    "comparisons": ("csv",),
    **dict.fromkeys(("lm-eval", "lm-eval-results", "inspect", "helm", "alpaca-eval"), ("jsonl",)),
}
BEGINNINGS = {
    r'\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:': "inspect",
    r'\{\s*"results"\s*:\s*\{\s*"[^"]+"\s*:\s*\{': "lm-eval-results",
}
RESULTS = (
    "it holds one mean for each task: format: lm-eval-results takes it where the claim's levels "
    "are [task]; for items bring the log that --log_samples writes"
)


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked if it is gzip.

    Raises ValueError, one line, where it is missing, a folder, not ours to read, or damaged.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            if not packed:
                yield file
                return
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(BinaryIO, unpacked)
    except FileNotFoundError:
        raise ValueError(f"{path}: {MISSING}") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: {FOLDER}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: damaged gzip ({error}); bring it again") from None
    except OSError as error:
        raise ValueError(f"{path}: not readable ({error.strerror or error})") from None


def expect(path: str, format: str) -> None:
    """Raise ValueError, one line that names what the file is, unless it may be of that format."""
    with opened(path) as file:
        head = file.read(HEAD)
    likely, what = _recognised(path, head)
    if likely == format or likely in ALSO.get(format, ()) or not (likely or what):
        return
    if likely == "lm-eval-results":
        what = f"{TITLES[likely]}; {RESULTS}"
    elif likely == "csv":
        what = f"text and not {TITLES[format]}; if it is a table, say format: csv"
    elif likely:
        what = f"{TITLES[likely]}; say format: {likely}"
    raise ValueError(f"{path}: this is {what}")


def _recognised(path: str, head: bytes) -> tuple[str | None, str | None]:
    """The format that the content shows, or what else it is; neither where nothing shows."""
    for mark, what in FOREIGN.items():
        if head.startswith(mark):
            return None, what
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head.startswith(b"PAR1"):
        return "parquet", None
    if head[257:262] == b"ustar":
        return None, "a tar archive; unpack it"
    if head.count(0) > len(head) / 8:
        return None, UTF16 if head[:512].count(0) >= len(head[:512]) / 4 else "no text"
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    if re.match(r"<!doctype|<html|<\?xml", text, re.I):
        return None, "a web page or XML; bring the table itself"
    if text[:1] in ("{", "["):
        return _json(text), None
    return ("csv" if text else None), None


def _archive(path: str) -> tuple[str | None, str | None]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except DAMAGED:
        return None, "a damaged zip archive; bring it again"
    if any(name.startswith("xl/") for name in names):
        return None, EXCEL
    if any(name == "header.json" or name.startswith("_journal/") for name in names):
        return "inspect", None
    return None, "a zip archive; unpack it"


def _json(text: str) -> str:
    """Which of the JSON formats begins so."""
    for beginning, format in BEGINNINGS.items():
        if re.match(beginning, text):
            return format
    keys = set(re.findall(r'"(\w+)"\s*:', text))
    if text[0] == "[" and {"instance_id", "stats"} <= keys:
        return "helm"
    if text[0] == "[" and {"preference", "instruction"} <= keys:
        return "alpaca-eval"
    return "lm-eval" if "doc_id" in keys else "jsonl"


def undecodable(path: str) -> ValueError:
    """What to say of a file that is not UTF-8: the first bad line, and which encoding it has."""
    whole, bad = b"", None
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            whole += line if len(whole) < 1 << 20 else b""
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                bad = bad or number
    for encoding, name in (("cp932", "Shift_JIS"), ("euc_jp", "EUC-JP")):
        try:
            text = whole[: whole.rfind(b"\n") + 1 or None].decode(encoding)
        except UnicodeDecodeError:
            continue
        if re.search(r"[ぁ-んァ-ヶ]", text):
            return ValueError(f"{path}, line {bad}: this is {name}; save it as UTF-8")
    return ValueError(f"{path}, line {bad}: not UTF-8; save it as UTF-8")
