"""Digest of the code that a script reaches, so that a library edit reruns what depends on it.

Snakemake notices a changed script but not a changed import. Each rule therefore carries the
digest of its script, of every kensho module reachable from it and of its environment's pins as a
parameter. Comments, docstrings, layout and imports for the type checker do not count: the digest is
taken over the syntax tree. Neither does kensho.run, which runs and records jobs and never enters a
result.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kensho.files import read_json, write_json
from kensho.part import Part

LIBRARY = Path(__file__).parents[1]
KNOWN = "__pycache__/digests.json"
PARSER = Path(__file__).read_bytes()  # what was parsed otherwise is parsed again


@cache
def _module(path: Path) -> tuple[str, frozenset[Path]]:
    """Digest of one file's syntax tree, and the library files it imports."""
    text = path.read_bytes()
    content, known = hashlib.sha256(PARSER + text).hexdigest(), _known(LIBRARY)
    if content not in known:
        known[content] = _parsed(ast.parse(text, filename=str(path)))
        with suppress(OSError):  # a folder that is not ours to write: parsed again next time
            write_json(LIBRARY / KNOWN, known)
    tree, names = known[content]
    return tree, frozenset(file for name in names for file in _files(name))


@cache
def _known(library: Path) -> dict[str, Any]:
    """What was parsed before, by the sha256 of a file: every job asks for the same few files."""
    try:
        return read_json(library / KNOWN)
    except ValueError:
        return {}


def _parsed(tree: ast.Module) -> list[Any]:
    """Digest of a tree without docstrings and imports for types, and the names it imports."""
    tree.body = [node for node in tree.body if not for_types(node)]
    names = sorted(set(_imported(tree)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return [hashlib.sha256(ast.dump(tree).encode()).hexdigest(), names]


def for_types(node: ast.stmt) -> bool:
    """Whether it is `if TYPE_CHECKING:` alone, which no run enters."""
    return (
        isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse
    )


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name: str) -> Iterator[Path]:
    """Library files of a dotted name: the module or package and the packages above it."""
    parts = name.split(".")
    if parts[0] != LIBRARY.name or parts[1:2] == ["run"]:
        return
    for depth in range(1, len(parts) + 1):
        base = LIBRARY.joinpath(*parts[1:depth])
        candidates = [base / "__init__.py"] + ([base.with_suffix(".py")] if depth > 1 else [])
        yield from (file for file in candidates if file.is_file())


def reachable(script: Path | str) -> list[Path]:
    """The script and all library files it imports, directly or not, sorted."""
    pending, seen = [Path(script).resolve()], set()
    while pending:
        path = pending.pop()
        if path not in seen:
            seen.add(path)
            pending.extend(_module(path)[1])
    return sorted(seen)


@cache
def _pins(environment: Path) -> bytes:
    """What a conda environment file says, without its comments."""
    return json.dumps(yaml.safe_load(environment.read_text(encoding="utf-8"))).encode()


def code_digest(script: Path | str, environment: Path | None = None, *parts: Part) -> str:
    """Hex sha256 (16 digits) over the reachable code of ``script`` and its environment's pins.

    With what the ``parts`` that the script resolves reach, and the files that they read.
    """
    digest = hashlib.sha256(_pins(environment) if environment else b"")
    roots = {*reachable(script)}
    for part in parts:
        name = part.code.partition(":")[0]
        [module] = [file for file in _files(name)][-1:]
        last = name.rpartition(".")[2]
        if last not in (module.stem, module.parent.name if module.stem == "__init__" else ""):
            raise ValueError(f"'{part.name}': no module {name}; mend the `code` of its catalogue")
        roots |= {*reachable(module)}
        for name in part.files:
            digest.update((LIBRARY / name).read_bytes())
    for path in sorted(roots):
        digest.update(path.name.encode())
        digest.update(_module(path)[0].encode())
    return digest.hexdigest()[:16]
