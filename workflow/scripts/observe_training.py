from kensho.observations import write
from kensho.run.job import job
from kensho.run.registration import oldest, registered
from kensho.train import record
from kensho.train.observed import EXPERIMENT, conditions, observations

with job(snakemake):
    records = [record.read(path) for path in snakemake.input]
    claims = oldest([one.registered for one in records], registered(EXPERIMENT))
    trained = observations(snakemake.wildcards.arm, records)
    made = {**conditions(records), "registered": claims}
    write(f"results/benchmark_data/{EXPERIMENT}", trained, made)
