from pathlib import Path

import pandas as pd
from kensho.files import replacing
from kensho.report import build
from kensho.report.inputs import execution, kv_grid, loss, summary
from scripts.job import job

with job(snakemake):
    page = build(
        summary(snakemake.input.summary),
        pd.read_csv(snakemake.input.evaluation),
        loss(snakemake.input.steps),
        pd.read_csv(snakemake.input.drops),
        pd.read_csv(snakemake.input.augmentation),
        kv_grid([path for path in snakemake.input.kv_cache if path.endswith(".csv")]),
        execution("logs/execution_log.txt"),
    )
    with replacing(snakemake.output.html) as temporary:
        Path(temporary).write_text(page, encoding="utf-8")
