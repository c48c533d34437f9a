from pathlib import Path

from kensho.files import replacing, write_table
from kensho.observations import read
from kensho.report import tokenisers
from kensho.run.job import job
from kensho.stats import tokenised

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    observed = {
        Path(path).stem: read(path) for path in files.get("observed", []) if path.endswith(".csv")
    }
    rows = tokenised.table(observed, params.alpha)
    write_table(snakemake.output.table, rows)
    left_out = next((own["own"]["left_out"] for _, own in observed.values()), {})
    rehearsal = any(conditions["tier"] == "rehearsal" for _, conditions in observed.values())
    page = tokenisers.build(rows, left_out, params.absent, rehearsal=rehearsal)
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(page, encoding="utf-8")
