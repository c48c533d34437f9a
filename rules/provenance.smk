# The crate: every verdict with all that it rests on. Included last: it tells of every rule.
from snakemake.common import __version__


rule provenance:
    """Export results/provenance and results/kensho.crate.zip from what is here; runs nothing else."""
    log:
        "logs/provenance.log",
    conda:
        "../envs/stats.yaml"
    params:
        folder="results/provenance",
        archive="results/kensho.crate.zip",
        steps=lambda w: directives.steps(workflow.rules, workflow.basedir),
        claims=[claim.model_dump(mode="json") for claim in CLAIMS],
        beside=RUN.beside("statistical"),
        reasons=RUN.reasons,
        scale=RUN.scale,
        alpha=CONFIG.stats.alpha,
        budget=CONFIG.budget.model_dump(),
        settings=CONFIG.provenance.model_dump(),
        snakemake=__version__,
    script:
        "../workflow/scripts/provenance/provenance.py"
