from contextlib import ExitStack
from pathlib import Path

from kensho import crates
from kensho.files import replacing, write_json
from kensho.report import pooled
from kensho.run import events
from kensho.run.job import job
from kensho.stats import pool

with job(snakemake), ExitStack() as stack:
    paths, folder = list(map(Path, snakemake.input.crates)), Path(snakemake.output.analyses)
    sites = []
    for name, path in zip(crates.names(paths), paths, strict=True):
        crate = stack.enter_context(crates.opened(path, *pool.READ))
        attempts = {event.attempt for event in events.read(crate / events.LOG)}
        sites.append(pool.Site.of_crate(name, crate, attempts))
    pool.distinct(sites)
    judgements = []
    for claim in pool.shared(sites):
        judgement, posterior = pool.pool(
            claim, sites, seed=snakemake.params.seed, draws=snakemake.params.draws
        )
        judgements.append(judgement)
        write_json(folder / f"{claim}.json", judgement.model_dump(mode="json"))
        if posterior is not None:
            with replacing(folder / f"{claim}.nc") as temporary:
                posterior.to_netcdf(str(temporary))
    summary = pool.summarise(judgements, sites)
    write_json(snakemake.output.summary, summary)
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(pooled.build(summary), encoding="utf-8")
