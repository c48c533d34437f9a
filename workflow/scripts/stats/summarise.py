import json
from pathlib import Path

from kensho.claims.model import Claim
from kensho.files import write_json
from kensho.observations import read
from kensho.stats.summary import summarise
from scripts.job import job

with job(snakemake):
    given = snakemake.params
    analyses = {Path(p).stem: json.loads(Path(p).read_text()) for p in snakemake.input.analyses}
    summary = summarise(
        [Claim.model_validate(claim) for claim in given.claims],
        analyses,
        given.untested,
        scale=given.scale,
        alpha=given.alpha,
    )
    conditions = read(snakemake.input.evaluation)[1]  # of the machine that measured
    write_json(
        snakemake.output[0],
        {
            **summary,
            "tasks_not_tested": conditions["not_tested"],
            "hardware": conditions["hardware"],
            "versions": conditions["software"],
        },
    )
