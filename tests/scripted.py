"""The object that Snakemake hands to a script, of Snakemake's own classes."""

from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, ResourceList, Wildcards
from snakemake.script import Snakemake


def snakemake(
    rule, wildcards=(), *, inputs=(), outputs=(), params=(), folder="workflow/scripts/data",
    budget=(), **resources
):  # fmt: skip
    """Of a job of one core; ``folder`` is that of its script, ``budget`` its section."""
    return Snakemake(
        InputFiles(fromdict={f"i{n}": str(path) for n, path in enumerate(inputs)}),
        OutputFiles(fromdict={f"o{n}": str(path) for n, path in enumerate(outputs)}),
        Params(fromdict=dict(params)),
        Wildcards(fromdict=dict(wildcards)),
        1,
        ResourceList(fromdict=resources),
        Log([f"logs/{rule}.log"]),
        {"budget": dict(budget), "accelerator": "none"},
        rule,
        None,
        folder,
    )
