from pathlib import Path

from kensho.claims.model import Claim
from kensho.provenance import bundle, history
from kensho.provenance.settings import Provenance
from kensho.run.budget import Budget
from kensho.run.job import job

with job(snakemake):
    params = snakemake.params
    stale = {name: params.reasons[name] for name in params.beside["stale"]}
    workflow = history.Workflow(
        steps=[history.Step(*step) for step in params.steps],
        claims=[Claim.model_validate(claim) for claim in params.claims],
        beside=params.beside | {"stale": stale},
        snakemake=params.snakemake,
        scale=params.scale,
        alpha=params.alpha,
        budget=Budget.model_validate(params.budget),
        settings=Provenance.model_validate(params.settings),
        repository=bundle.repository(Path()),
    )
    read = history.read(Path(), workflow)
    bundle.export(read, Path(params.folder), Path(params.archive))
