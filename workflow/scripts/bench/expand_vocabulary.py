from pathlib import Path

from kensho.data.corpus import read_table
from kensho.files import write_json
from kensho.models.vocabulary import expand_model
from scripts.job import job

with job(snakemake):
    texts = read_table(snakemake.input.train)["ja"]
    folder = Path(snakemake.output.model)
    done = expand_model(Path(snakemake.input.base), texts, snakemake.params.pieces, folder)
    write_json(snakemake.output.record, done)
