from pathlib import Path

import pandas as pd
from kensho.files import read_json, replacing
from kensho.report.inputs import audits, cost, execution, kv_grid, loss, summary
from kensho.report.page import Tables, build
from kensho.run import events
from kensho.run.budget import Budget
from kensho.run.job import job

READERS = {
    "evaluation": pd.read_csv,
    "loss": loss,
    "audits": audits,
    "drops": pd.read_csv,
    "augmentation": pd.read_csv,
    "meaning": pd.read_csv,
    "gains": pd.read_csv,
    "noise": read_json,
    "kv_grid": lambda paths: kv_grid([path for path in paths if path.endswith(".csv")]),
}

with job(snakemake):
    past, reasons = events.read(), snakemake.params.reasons
    judged = summary(snakemake.input.summary)
    page = build(
        judged,
        execution(past),
        cost(past, Budget.model_validate(snakemake.params.budget), judged),
        [page | {"stale": reasons.get(page["target"])} for page in snakemake.params.pages],
        Tables(
            **{
                name: READERS[name](files)
                for name, files in snakemake.input.items()
                if name in READERS
            }
        ),
    )
    with replacing(snakemake.output.html) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
