from itertools import chain
from pathlib import Path

from kensho.data.corpus import read_table
from kensho.files import write_table
from kensho.jlce import items, prepare
from kensho.run.job import job

with job(snakemake):
    tables = [read_table(path) for path in snakemake.input.training]
    training = chain.from_iterable([*table["ja"], *table["en"]] for table in tables)
    asked = {
        Path(path).stem: items.read(path, Path(path).stem) for path in snakemake.input.documents
    }
    write_table(snakemake.output[0], prepare.contamination(sorted(set(training)), asked))
