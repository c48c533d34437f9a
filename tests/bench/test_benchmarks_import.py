"""Each name that a file in benchmarks/ takes from the workflow is there."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAKEN = [
    (path.name, node.module, name.name)
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kensho")
    for name in node.names
]


def named(module: str) -> set[str]:
    """What a module or package binds at its top, and the modules in it."""
    path = ROOT / "workflow" / Path(*module.split("."))
    inside = {one.stem for one in path.glob("*")}
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    bound = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {one.asname or one.name for one in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        else:
            bound |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return bound | inside


@pytest.mark.parametrize(("file", "module", "name"), TAKEN)
def test_what_a_benchmark_takes_is_there(file, module, name):
    assert name in named(module), f"{file}: {module} has no {name}"
