from pathlib import Path

import pandas as pd
from kensho.files import read_json, replacing
from kensho.report import stages
from kensho.report.inputs import audits, loss
from kensho.run.job import job

with job(snakemake):
    files = snakemake.input
    evaluation = pd.read_csv(files.evaluation[0]) if files.get("evaluation") else None
    conditions = [read_json(path) for path in files.get("observed", []) if path.endswith(".json")]
    page = stages.build(
        evaluation,
        loss(files.get("steps", [])),
        audits(files.get("records", [])),
        rehearsal=any(one["tier"] == "rehearsal" for one in conditions),
    )
    with replacing(snakemake.output.html) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
