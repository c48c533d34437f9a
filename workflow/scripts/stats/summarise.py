from pathlib import Path

from kensho.claims.model import Claim
from kensho.files import read_json, write_json
from kensho.observations import read
from kensho.run.job import job
from kensho.stats.summary import Judged, summarise

with job(snakemake):
    params, beside = snakemake.params, snakemake.params.beside
    analyses = {Path(path).stem: read_json(path) for path in snakemake.input.analyses}
    stale = {name: params.reasons[name] for name in beside["stale"]}
    registry = [Claim.model_validate(claim) for claim in params.claims]
    summary = summarise(
        [claim for claim in registry if claim.id in beside["shown"]],
        Judged(analyses, beside["untested"], stale, beside["commands"], beside["kinds"]),
        scale=params.scale,
        alpha=params.alpha,
        registry=registry,
    )
    if snakemake.input.evaluation:
        conditions = read(snakemake.input.evaluation[0])[1]  # of the machine that measured
        summary |= {
            "tasks_not_tested": conditions["not_tested"],
            "hardware": conditions["hardware"],
            "versions": conditions["software"],
        }
    write_json(snakemake.output[0], summary)
