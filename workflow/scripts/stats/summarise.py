import json
from pathlib import Path

from kensho.claims.model import Claim
from kensho.files import write_json
from kensho.observations import read
from kensho.run.job import job
from kensho.stats.summary import summarise

with job(snakemake):
    given = snakemake.params
    analyses = {
        Path(p).stem: json.loads(Path(p).read_text(encoding="utf-8"))
        for p in snakemake.input.analyses
    }
    registry = [Claim.model_validate(claim) for claim in given.claims]
    summary = summarise(
        [claim for claim in registry if given.shown is None or claim.id in given.shown],
        analyses,
        given.untested,
        scale=given.scale,
        alpha=given.alpha,
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
