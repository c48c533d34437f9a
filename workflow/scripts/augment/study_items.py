from kensho.augment import study
from kensho.data.corpus import read_table, write_table
from kensho.data.sources import fetched
from kensho.files import write_json
from kensho.run.job import job, paths

with job(snakemake):
    files, task = paths(snakemake.input), snakemake.wildcards.task
    settings = snakemake.params.settings
    if "record" in files:
        path, source = fetched(files["record"])
        if path is None:
            raise ValueError(source["reason"])
        items, counts = study.labelled(task, path, seed=snakemake.params.seed, **settings)
    else:
        train, test = (read_table(files[name]).head(settings[name]) for name in ("train", "test"))
        items = study.pairs(train, test)
        counts = {"read": len(items)}
    write_json(snakemake.output.counts, counts)
    write_table(snakemake.output.splits, items[study.ITEMS])
    write_table(snakemake.output.sentences, study.sentences(study.pool(items)))
