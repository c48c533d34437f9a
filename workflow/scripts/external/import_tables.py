from kensho.external import Experiment, check_metrics, observe
from kensho.observations import write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    given = snakemake.params
    claims = registered(given.experiment)
    brought = observe(given.experiment, Experiment.of(given.asked))
    check_metrics(claims, brought)
    for rows, conditions in brought.values():
        write(
            f"results/benchmark_data/{given.experiment}",
            rows,
            {**conditions, "registered": claims},
        )
