from kensho.jlce.chat import Endpoint
from kensho.jlce.journal import Journal
from kensho.jlce.preference import EXPERIMENT, compare
from kensho.observations import write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    claims = registered(EXPERIMENT)
    given = snakemake.params
    found, conditions = compare(
        given.arms,
        snakemake.input.answers,
        Endpoint(url=snakemake.config["jlce"]["judge"]["url"], **given.judge, seed=given.seed),
        Journal(given.journal),
    )
    write(f"results/benchmark_data/{EXPERIMENT}", found, {**conditions, "registered": claims})
