"""Whatever the locale: every text file and every program's output is opened as UTF-8, by name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted(
    path
    for name in ("workflow", "rules")
    for suffix in ("*.py", "*.smk")
    for path in (ROOT / name).rglob(suffix)
)
# Calls that read or write text in the locale's encoding unless they are told otherwise.
OPENS = re.compile(r"(?:(?<![\w.])open|\.read_text|\.write_text|\.fdopen|NamedTemporaryFile)\(")
RUNS = re.compile(r"subprocess\.(?:run|Popen|check_output|call|check_call)\(")
METHOD = re.compile(r"\b(?!(?:os|tarfile|zipfile|archive|bundle|gzip|bz2|lzma)\.)\w+\.open\(")
PACKED = re.compile(r"\b(?:gzip|bz2|lzma)\.open\(")  # binary unless told otherwise
BINARY = re.compile(r"""["'][rwax+]*b[rwax+]*["']""")
TEXT = re.compile(r"\b(?:text|universal_newlines)=True")


def faults(code: str) -> list[str]:
    """Calls in a code that leave the encoding to the locale."""
    opened = _calls(OPENS, code) + _calls(METHOD, code)
    opened = [call for call in opened if not BINARY.search(call)]
    opened += [call for call in _calls(PACKED, code) if re.search(r"[\"'][rwax]t[\"']", call)]
    run = [call for call in _calls(RUNS, code) if TEXT.search(call)]
    return [call for call in opened + run if "encoding=" not in call]


def _calls(pattern: re.Pattern, code: str) -> list[str]:
    """The text of each call, to the parenthesis that ends it."""
    found = []
    for match in pattern.finditer(code):
        depth = 0
        for end in range(match.end() - 1, len(code)):
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            if not depth:
                found.append(code[match.start() : end + 1])
                break
    return found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_leaves_an_encoding_to_the_locale(path):
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    ["open(path)", "open(f(path), 'w')", "Path(x).read_text()", "p.write_text(str(a), newline='')",
     "subprocess.run(c, text=True)", "subprocess.run(\n    f(c),\n    universal_newlines=True,\n)",
     "tempfile.NamedTemporaryFile('w')", "path.open()", "gzip.open(path, 'rt')"],
)  # fmt: skip
def test_a_call_without_an_encoding_is_seen(code):
    [found] = faults(f"a = {code}\nb = open(p, encoding='utf-8')")
    assert code.endswith(found)


@pytest.mark.parametrize(
    "code",
    ["open(path, 'rb')", "open(path, mode='wb')", "tarfile.open(path)", "os.open(p, os.O_RDONLY)",
     "path.open('rb')", "gzip.open(path)", "bz2.open(p, 'rt', encoding='utf-8')",
     "subprocess.run(c)", "subprocess.run(c, encoding='utf-8')", "p.read_text(encoding='utf-8')"],
)  # fmt: skip
def test_other_calls_are_let_be(code):
    assert faults(code) == []


@pytest.mark.parametrize("path", sorted((ROOT / "profiles").rglob("*.yaml")), ids=str)
def test_profiles_are_read_in_any_locale(path):
    """Snakemake opens them in the locale's encoding, before the first line of ours."""
    assert path.read_bytes().isascii()
