from kensho.files import write_json
from kensho.models import engine
from kensho.run.job import job

with job(snakemake):
    chosen = engine.find(snakemake.params.engine, snakemake.params.instead)
    write_json(snakemake.output[0], chosen.model_dump())
