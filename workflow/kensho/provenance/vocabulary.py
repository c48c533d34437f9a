"""Versions, addresses and terms of the formats that a crate is written in: one table to move on.

Workflow Run RO-Crate profiles 0.5 on RO-Crate 1.1, https://www.researchobject.org/workflow-run-crate
"""

RO_CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {  # by address: name and version
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
BIOSCHEMAS = "https://bioschemas.org/profiles"
COMPUTATIONAL_WORKFLOW = f"{BIOSCHEMAS}/ComputationalWorkflow/1.0-RELEASE"
CONDA = "https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html"
SNAKEMAKE = "https://snakemake.readthedocs.io"

_RUN = "https://w3id.org/ro/terms/workflow-run#"
# Terms that the context of RO-Crate 1.1 lacks stand in the file itself: no second address is asked.
CONTEXT = [
    f"{RO_CRATE}/context",
    {name: _RUN + name for name in ("sha256", "environment", "resourceUsage")}
    | {"buildInstructions": "https://codemeta.github.io/terms/buildInstructions"},
]
COMPLETED = "http://schema.org/CompletedActionStatus"
FAILED = "http://schema.org/FailedActionStatus"

_QUDT = "http://qudt.org/vocab/unit/"
USAGE = {  # of an attempt: name of the quantity, and the code of its unit
    "seconds": ("elapsed time", f"{_QUDT}SEC"),
    "cores": ("cores held", f"{_QUDT}NUM"),
    "devices": ("accelerators held", f"{_QUDT}NUM"),
    "peak_bytes": ("peak resident memory", f"{_QUDT}BYTE"),
    "device_peak_bytes": ("peak accelerator memory", f"{_QUDT}BYTE"),
    "cost_usd": ("cost", f"{_QUDT}CCY_USD"),
}
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".nc": "application/x-netcdf",
    ".py": "text/x-python",
    ".smk": "text/x-python",
    ".yaml": "application/yaml",
}
