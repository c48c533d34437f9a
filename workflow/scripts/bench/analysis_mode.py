from pathlib import Path

from kensho.bench.analysis_mode import conditions, observe
from kensho.data.corpus import read_table
from kensho.files import write_json
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake):
    claims = registered("analysis_mode")
    given = snakemake.params
    run = {"blocks": given.settings["blocks"], "seed": given.seed, "threads": snakemake.threads}
    test = read_table(snakemake.input.test)
    drawn = test.sample(given.settings["items"], random_state=given.seed)
    work = drawn[["en", "ja"]].to_dict("records")
    write_json(snakemake.output.work, work)
    observed = observe(Path(snakemake.input.model), Path(snakemake.output.work), **run)
    described = {**conditions(work, **run), "registered": claims}
    write("results/benchmark_data/analysis_mode", observed, described)
