"""ROCm: the environment variables of claim F-11, and what the installed libraries know of them."""

import ast
import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from kensho.models import cards

COMPONENTS = {  # library that the claim's variables concern, by component
    "HIP runtime": "libamdhip64",
    "ROCr": "libhsa-runtime64",
    "PyTorch": "libtorch_hip",
    "hipBLASLt": "libhipblaslt",
    "MIOpen": "libMIOpen",
}
PIECE = 1 << 24  # bytes read at once

Text = Annotated[str, Field(min_length=1)]


class Variable(cards.Named):
    """One environment variable; ``value`` is what jobs get, null leaves the default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    purpose: Text
    default: Text
    value: Text | None
    why: Text
    read_by: Literal["HIP runtime", "ROCr", "PyTorch", "hipBLASLt", "MIOpen", "none found"]
    known: Literal["documented", "undocumented", "unknown name"]
    sources: Annotated[list[Text], Field(min_length=1)]

    @model_validator(mode="after")
    def _nobody_reads_an_unknown_name(self) -> Self:
        if (self.known == "unknown name") != (self.read_by == "none found"):
            raise ValueError("'unknown name' goes with read_by 'none found', and only with it")
        if self.known == "unknown name" and self.value is not None:
            raise ValueError("value: nothing reads this name; give null")
        return self


def load(path: Path) -> dict[str, Variable]:
    """Read the cards of a YAML list, by name. Raises ValueError with one line for each problem."""
    return cards.load_kind(path, Variable)


def recommended(variables: Mapping[str, Variable]) -> dict[str, str]:
    """Values that jobs on ROCm get, by name."""
    return {name: card.value for name, card in variables.items() if card.value is not None}


def known_to(libraries: Iterable[Path], names: Iterable[str]) -> dict[str, list[Path]]:
    """The files in whose bytes each name stands as a whole, not as a part of a longer identifier.

    Files are read in pieces, whatever their size. A name that a compiler stored inside
    instructions and not as text is missed.
    """
    patterns = {
        name: re.compile(b"(?<=[^A-Za-z0-9_])" + name.encode() + b"(?=[^A-Za-z0-9_])")
        for name in names
    }
    files: dict[str, list[Path]] = {name: [] for name in patterns}
    kept = max(map(len, patterns), default=0) + 1
    for path in libraries:
        missing, tail = dict(patterns), b"\0"  # both ends of a file end an identifier
        with open(path, "rb") as file:
            while missing:
                piece = file.read(PIECE)
                window = tail + (piece or b"\0")
                # `in` is far faster than a pattern and nearly always enough
                hits = [n for n, p in missing.items() if n.encode() in window and p.search(window)]
                for name in hits:
                    files[name].append(path)
                    del missing[name]
                if not piece:
                    break
                tail = window[-kept:]
    return files


def torch_build() -> dict[str, str | None] | None:
    """``version``, ``cuda`` and ``hip`` of the installed torch, read without importing it."""
    folder = _torch()
    if folder is None:
        return None
    attrs: dict[str, Any] = {}
    for node in ast.parse((folder / "version.py").read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
            attrs[target.id] = node.value.value
    return {"version": attrs.get("__version__"), "cuda": attrs.get("cuda"), "hip": attrs.get("hip")}


def stack_libraries(root: Path) -> list[Path]:
    """Shared libraries of a ROCm under ``root`` and of the installed torch, each file once."""
    folders = [root / "lib"]
    if torch := _torch():
        folders += [torch / "lib", *torch.parent.glob("_rocm_sdk*/lib")]
    files = {path.resolve() for folder in folders for path in folder.glob("*.so*")}
    return sorted(path for path in files if path.is_file())


def _torch() -> Path | None:
    spec = find_spec("torch")
    return Path(spec.origin).parent if spec and spec.origin else None
