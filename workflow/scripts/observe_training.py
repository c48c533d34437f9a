from kensho.fallback import lowered
from kensho.files import read_json
from kensho.observations import write
from kensho.run.job import job
from kensho.run.registration import oldest, registered
from kensho.train.observed import EXPERIMENT, conditions, observations

with job(snakemake):
    records = [read_json(path) for path in snakemake.input]
    claims = oldest([record["registered"] for record in records], registered(EXPERIMENT))
    described = conditions(records)
    described = lowered(described | {"fallbacks": []}, described["fallbacks"], "reference")
    trained = observations(snakemake.wildcards.arm, records)
    write(f"results/benchmark_data/{EXPERIMENT}", trained, {**described, "registered": claims})
