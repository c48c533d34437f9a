from pathlib import Path

import pandas as pd
from kensho.budget import Budget
from kensho.files import replacing
from kensho.report import build
from kensho.report.inputs import cost, execution, kv_grid, loss, summary
from scripts.job import LEDGER, job

with job(snakemake):
    judged = summary(snakemake.input.summary)
    page = build(
        judged,
        pd.read_csv(snakemake.input.evaluation),
        loss(snakemake.input.steps),
        pd.read_csv(snakemake.input.drops),
        pd.read_csv(snakemake.input.augmentation),
        kv_grid([path for path in snakemake.input.kv_cache if path.endswith(".csv")]),
        execution("logs/execution_log.txt"),
        cost(LEDGER, Budget.model_validate(snakemake.params.budget), judged),
    )
    with replacing(snakemake.output.html) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
