"""Digest of the code that a script reaches, so that a library edit reruns what depends on it.

Snakemake notices a changed script but not a changed import. Each rule therefore carries the
digest of its script and of every kensho module reachable from it as a parameter. Comments,
docstrings and layout do not count: the digest is taken over the syntax tree.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parent


@cache
def _module(path: Path) -> tuple[str, frozenset[Path]]:
    """Normalised source of one file and the library files it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    imports = frozenset(file for name in _imported(tree) for file in _files(name))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = body[0] if body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = body[1:]
    return ast.dump(tree), imports


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
    if parts[0] != LIBRARY.name:
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


def code_digest(script: Path | str) -> str:
    """Hex sha256 (first 16 digits) over the reachable code of ``script``."""
    digest = hashlib.sha256()
    for path in reachable(script):
        digest.update(path.name.encode())
        digest.update(_module(path)[0].encode())
    return digest.hexdigest()[:16]
