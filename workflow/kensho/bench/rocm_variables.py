"""F-11: which of the source's environment variables the installed ROCm stack knows at all.

A name that stands in none of the stack's libraries cannot change anything. One that does stand
there is read; whether it makes anything faster is not observed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kensho.bench.run import Inputs, Observed, Run
from kensho.models.rocm import COMPONENTS, known_to, load, stack_libraries, torch_build
from kensho.observations import Row, table

if TYPE_CHECKING:
    from kensho.bench.settings import RocmVariables as Settings

EXPERIMENT = "rocm_variables"
ARM = "stack"


def observe(names: Iterable[str], libraries: Iterable[Path]) -> pd.DataFrame:
    """Observation table of the arm ``stack``.

    Block ``all``: ``variables_known``, ``variables_named``. One block for each variable:
    ``libraries_naming_it``. Raises ValueError if a component that reads such variables has no
    library among the files: its names would count as unknown only because it is not there.
    """
    names, libraries = list(names), list(libraries)
    for component, stem in COMPONENTS.items():
        if not any(path.name.startswith(f"{stem}.so") for path in libraries):
            raise ValueError(
                f"no {stem}.so ({component}) among {len(libraries)} libraries: install ROCm and "
                "its build of torch, or set bench.rocm_variables.root to where ROCm is"
            )
    naming = known_to(libraries, names)
    known = sum(map(bool, naming.values()))
    rows = [
        Row(EXPERIMENT, ARM, "all", 0, "variables_named", len(names), "variables"),
        Row(EXPERIMENT, ARM, "all", 0, "variables_known", known, "variables"),
    ]
    for name, files in naming.items():
        rows.append(Row(EXPERIMENT, ARM, name, 0, "libraries_naming_it", len(files), "libraries"))
    return table(rows)


def conditions(root: Path, libraries: Iterable[Path]) -> dict:
    """The names follow from the installed stack alone."""
    version = root / ".info" / "version"
    return {
        "ran": {"models": [], "follows_from": "the installed ROCm stack"},
        "dtype": "none",
        "warmup": "none: names do not depend on time",
        "fallbacks": [],
        "own": {
            "rocm": version.read_text(encoding="utf-8").strip() if version.is_file() else None,
            "torch": torch_build(),
            "libraries": len(list(libraries)),
        },
        "deviations": [
            "the source does not say which ROCm version it means",
            "a name that a compiler stored inside instructions and not as text is not found",
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """The one arm, the installed stack."""
    root = Path(settings.root)
    libraries = stack_libraries(root)
    return [(observe(load(inputs["variables"]), libraries), conditions(root, libraries))]
