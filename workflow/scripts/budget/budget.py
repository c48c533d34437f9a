import sys

from kensho.run import budget, events
from kensho.run.job import job
from scripts.budget.job_counts import job_counts

with job(snakemake):
    params = snakemake.params
    settings = budget.Budget.model_validate(params.budget)
    past = events.read()
    left_usd = settings.limit_usd - budget.spent(past, settings.prices)
    for target in params.targets:
        jobs = job_counts(params.command, target)
        rules = {rule: count for rule, count in jobs.items() if rule not in params.collecting}
        rows = budget.estimate(
            rules, past, settings.prices, params.foreseen["rules"], params.foreseen["earlier"]
        )
        print(f"{target}\n{budget.as_table(rows, left_usd)}\n", file=sys.stderr)
    for line in params.foreseen["unknown"]:
        print(f"not foreseen: {line}", file=sys.stderr)
    if not settings.prices.any():
        print("no price is set, so nothing is counted: see budget.prices", file=sys.stderr)
