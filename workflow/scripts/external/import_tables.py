from kensho.claims.base import ExternalTable
from kensho.external import Experiment, observe
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    given = snakemake.params
    claims = registered(given.experiment)
    tables = [ExternalTable.model_validate(table) for table in given.tables]
    brought = observe(given.experiment, Experiment(tables, given.levels, given.arms))
    for rows, conditions in brought.values():
        write(
            f"results/benchmark_data/{given.experiment}",
            rows,
            {**conditions, "registered": claims},
        )
