from kensho.fallback import lowered
from kensho.files import read_json
from kensho.observations import write
from kensho.train.observed import EXPERIMENT, conditions, observations
from scripts.job import job
from scripts.registration import oldest, registered

with job(snakemake):
    records = [read_json(path) for path in snakemake.input]
    claims = oldest([record["registered"] for record in records], registered(EXPERIMENT))
    described = conditions(records)
    described = lowered(described | {"fallbacks": []}, described["fallbacks"], "reference")
    trained = observations(snakemake.wildcards.arm, records)
    write(f"results/benchmark_data/{EXPERIMENT}", trained, {**described, "registered": claims})
