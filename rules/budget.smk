# What a run would cost, before it starts.


rule budget:
    """Cost of each target, by this folder's events or as foreseen; starts nothing."""
    log:
        "logs/budget.log",
    conda:
        "../envs/stats.yaml"
    params:
        budget=CONFIG.budget.model_dump(),
        targets=[
            "all",
            "benchmark",
            "jlce",
            "judging",
            "augmentation_study",
            "training_studies",
            "tokenisers_study",
            "domain_study",
            "serving_study",
            "stages",
            "strategy",
            "calibration",
        ]
        + (["corpora"] if CORPUS_NAMES else []),
        collecting=lambda w: [rule.name for rule in workflow.rules if not rule.output],
        foreseen=lambda w: foreseen(),
        command=[sys.executable, "-m", "snakemake", *sys.argv[1:]],
    script:
        "../workflow/scripts/budget/budget.py"
