import sys

from kensho.augment import study
from kensho.data.corpus import read_table, write_table
from kensho.data.sources import fetched
from kensho.run.job import job, paths

with job(snakemake):
    files, task = paths(snakemake.input), snakemake.wildcards.task
    settings = snakemake.params.settings
    if "record" in files:
        path, source = fetched(files["record"])
        if path is None:
            raise ValueError(source["reason"])
        read, left_out = study.read(task, path)
        print(f"{len(read)} items, {left_out} left out: empty, or there twice", file=sys.stderr)
        items = study.split(study.grouped(read), seed=snakemake.params.seed, **settings)
    else:
        train, test = (read_table(files[name]).head(settings[name]) for name in ("train", "test"))
        items = study.pairs(train, test)
    write_table(snakemake.output.splits, items[study.ITEMS])
    write_table(snakemake.output.sentences, study.sentences(study.pool(items)))
