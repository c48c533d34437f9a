from kensho.external import Experiment, check_metrics, observe
from kensho.observations import write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    experiment = snakemake.params.experiment
    claims = registered(experiment)
    brought = observe(experiment, Experiment.of(snakemake.params.asked))
    check_metrics(claims, brought)
    for rows, conditions in brought.values():
        write(
            f"results/benchmark_data/{experiment}",
            rows,
            {**conditions, "registered": claims},
        )
