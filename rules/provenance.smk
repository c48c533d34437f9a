# The crate: every verdict with all that it rests on. Included last: it tells of every rule.
from snakemake.common import __version__


def steps():
    """Of each rule with a script: name, docstring, script and environment, from this folder."""
    inside = lambda rule, path: os.path.relpath(rule.basedir.join(path), workflow.basedir)
    return [
        (
            rule.name,
            rule.docstring.strip(),
            inside(rule, rule.script),
            inside(rule, rule.conda_env) if isinstance(rule.conda_env, str) else None,
        )
        for rule in workflow.rules
        if rule.script
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
