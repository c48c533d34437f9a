# The crate: every verdict with all that it rests on. Included last: it tells of every rule.
from snakemake.common import __version__


def steps():
    """Name, docstring, script and environment of each rule, as paths of this folder."""

    def inside(each, file):
        return os.path.relpath(
            each.basedir.join(file).get_path_or_uri(secret_free=True), workflow.basedir
        )

    return [
        (
            each.name,
            (each.docstring or "").strip(),
            inside(each, each.script),
            inside(each, each.conda_env) if isinstance(each.conda_env, str) else None,
        )
        for each in workflow.rules
        if each.script
    ]


rule provenance:
    """Export results/provenance and results/kensho.crate.zip from what is here; runs nothing else."""
    log:
        "logs/provenance.log",
    conda:
        "../envs/stats.yaml"
    params:
        folder="results/provenance",
        archive="results/kensho.crate.zip",
        steps=lambda w: steps(),
        claims=[claim.model_dump(mode="json") for claim in CLAIMS],
        beside=RUN.beside("statistical"),
        scale=CONFIG.scale,
        alpha=CONFIG.stats.alpha,
        budget=CONFIG.budget.model_dump(),
        settings=CONFIG.provenance.model_dump(),
        snakemake=__version__,
    script:
        "../workflow/scripts/provenance/provenance.py"
