import sys

from kensho import budget
from scripts.budget.planned import planned
from scripts.job import LEDGER, job

with job(snakemake):
    given = snakemake.params
    settings = budget.Budget.model_validate(given.budget)
    lines = budget.read(LEDGER)
    left = settings.limit_usd - budget.spent(lines, settings.prices)
    for target in given.targets:
        jobs = planned(given.command, target)
        worked = {rule: count for rule, count in jobs.items() if rule not in given.targets}
        table = budget.as_table(budget.estimate(worked, lines, settings.prices), left)
        print(f"{target}\n{table}\n", file=sys.stderr)
    if not any(settings.prices.model_dump().values()):
        print("no price is set, so nothing is counted: see budget.prices", file=sys.stderr)
