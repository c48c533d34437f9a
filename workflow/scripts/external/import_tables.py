from kensho.external import Experiment, observe
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    given = snakemake.params
    claims = registered(given.experiment)
    brought = observe(given.experiment, Experiment.of(given.asked))
    for rows, conditions in brought.values():
        write(
            f"results/benchmark_data/{given.experiment}",
            rows,
            {**conditions, "registered": claims},
        )
