# What a run would cost, before it starts.
from kensho.models import cards, hardware
from kensho.plan import forecast, rates


def foreseen():
    """What jobs of each rule will take, and why some cannot be foreseen."""
    resources = workflow.resource_settings
    most = resources.max_threads or resources.cores or 64
    rows = forecast.forecast(
        CONFIG,
        PLAN,
        forecast.Known(
            RUN.models,
            RUN.lock,
            cards.load(Path("resources/architectures.yaml")),
            rates.machine(CONFIG, hardware.load(Path("resources/hardware.yaml"))),
            cores=most,
            asked=directives.asked(workflow.rules, most),
            jobs={rule.name: 1 for rule in workflow.rules},
        ),
    )
    unknown = dict.fromkeys(row.why for row in rows if row.model and row.seconds is None)
    return {"rules": forecast.by_rule(rows), "unknown": [*unknown]}


rule budget:
    """Cost of each target, by this folder's events or as foreseen; starts nothing."""
    log:
        "logs/budget.log",
    conda:
        "../envs/stats.yaml"
    params:
        budget=CONFIG.budget.model_dump(),
        targets=["all", "benchmark", "jlce"],
        foreseen=lambda w: foreseen(),
        command=[sys.executable, "-m", "snakemake", *sys.argv[1:]],
    script:
        "../workflow/scripts/budget/budget.py"
