from itertools import chain
from pathlib import Path

from kensho.data.corpus import read_table
from kensho.files import write_table
from kensho.jlce import items, prepare
from kensho.run.job import job

with job(snakemake):
    tables = [read_table(path) for path in snakemake.input.training]
    training = chain.from_iterable([*table["ja"], *table["en"]] for table in tables)
    kinds = {Path(path).stem: path for path in snakemake.input.documents}
    by_kind = {kind: items.read(path, kind) for kind, path in kinds.items()}
    write_table(snakemake.output[0], prepare.contamination(sorted(set(training)), by_kind))
