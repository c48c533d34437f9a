"""F-11: which of the source's environment variables the installed ROCm stack knows at all.

A name that stands in none of the stack's libraries cannot change anything. One that does stand
there is read; whether it makes anything faster is not observed here.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from kensho.bench.run import Inputs, Observed, Run, Settings
from kensho.models.rocm import COMPONENTS, known_to, load, stack_libraries, torch_build
from kensho.observations import table

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
    found = known_to(libraries, names)
    cells = [
        ("all", "variables_named", len(names), "variables"),
        ("all", "variables_known", sum(map(bool, found.values())), "variables"),
        *((name, "libraries_naming_it", len(files), "libraries") for name, files in found.items()),
    ]
    return table(
        {
            "experiment": EXPERIMENT,
            "arm": ARM,
            "block": block,
            "replicate": 0,
            "metric": metric,
            "value": value,
            "unit": unit,
        }
        for block, metric, value, unit in cells
    )


def conditions(root: Path, libraries: Iterable[Path]) -> dict:
    """The names follow from the installed stack alone, so a ROCm stack observes them at scope."""
    version = root / ".info" / "version"
    return {
        "tier": "at-scope",
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
    root = Path(settings["root"])
    libraries = stack_libraries(root)
    return [(observe(load(inputs["variables"]), libraries), conditions(root, libraries))]
