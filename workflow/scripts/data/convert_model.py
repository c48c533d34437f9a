from kensho.data.sources import fetched
from kensho.files import write_json
from kensho.models.convert import gguf_to_safetensors
from kensho.run.job import job

with job(snakemake):
    path, source = fetched(snakemake.input.record)
    conversion = gguf_to_safetensors(path, snakemake.output.model)
    write_json(snakemake.output.record, {"source": source, **conversion})
