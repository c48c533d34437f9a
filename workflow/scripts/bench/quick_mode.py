from pathlib import Path

from kensho.bench.quick_mode import conditions, make_items, observe
from kensho.data.corpus import read_table
from kensho.files import write_json
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("quick_mode")
    settings, seed = dict(snakemake.params.settings), snakemake.params.seed
    run = {"blocks": settings.pop("blocks"), "seed": seed, "threads": snakemake.threads}
    train, test = read_table(snakemake.input.train), read_table(snakemake.input.test)
    work = make_items(train, test, seed=seed, **settings)
    write_json(snakemake.output.work, work)
    observed = observe(Path(snakemake.input.model), Path(snakemake.output.work), **run)
    described = {**conditions(work, **run), "registered": claims}
    write("results/benchmark_data/quick_mode", observed, described)
