from kensho.evaluate.journal import Journal
from kensho.jlce.chat import Endpoint
from kensho.jlce.preference import EXPERIMENT, compare
from kensho.observations import write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    claims = registered(EXPERIMENT)
    params = snakemake.params
    table, conditions = compare(
        params.arms,
        snakemake.input.answers,
        Endpoint(url=snakemake.config["jlce"]["judge"]["url"], **params.judge, seed=params.seed),
        Journal(params.journal),
    )
    write(f"results/benchmark_data/{EXPERIMENT}", table, {**conditions, "registered": claims})
