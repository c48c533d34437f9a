# What a run would cost, before it starts.


rule budget:
    """Estimate the cost of each target from this folder's events; starts nothing."""
    log:
        "logs/budget.log",
    conda:
        "../envs/stats.yaml"
    params:
        budget=CONFIG.budget.model_dump(),
        targets=["all", "benchmark", "jlce"],
        command=[sys.executable, "-m", "snakemake", *sys.argv[1:]],
    script:
        "../workflow/scripts/budget/budget.py"
