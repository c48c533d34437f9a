# What a run would cost, before it starts.
from kensho.models import hardware
from kensho.plan import forecast, rates


def forecast_of(run, jobs=None):
    """What the jobs of a configuration will take."""
    resources = workflow.resource_settings
    most = resources.max_threads or resources.cores or 64
    known = forecast.Known(
        run.models,
        run.lock,
        run.cards,
        rates.machine(run.config, hardware.load(Path("resources/hardware.yaml"))),
        cores=most,
        asked=directives.asked(workflow.rules, most),
        jobs=jobs,
    )
    return forecast.forecast(run.config, run.plan, known)


def foreseen():
    """What jobs of each rule will take, and why some cannot be foreseen."""
    rows = forecast_of(RUN, {rule.name: 1 for rule in workflow.rules})
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
