import json
from pathlib import Path

from kensho.claims.model import Claim
from kensho.files import write_json
from kensho.observations import read, write_table
from kensho.stats.describe import evaluation
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
    observed = {Path(p).stem: read(p) for p in snakemake.input.evaluation if p.endswith(".csv")}
    tables = {arm: table for arm, (table, _) in observed.items()}
    conditions = observed["base"][1]  # the machine that measured, not the one that sums up
    write_table(snakemake.output.evaluation, evaluation(tables, base="base"))
    write_json(
        snakemake.output.summary,
        {
            **summary,
            "tasks_not_tested": conditions["not_tested"],
            "hardware": conditions["hardware"],
            "versions": conditions["software"],
        },
    )
