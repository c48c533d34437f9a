from pathlib import Path

from kensho.domain.arms import JUDGES
from kensho.files import replacing, write_table
from kensho.observations import read
from kensho.report import domain
from kensho.run.job import job
from kensho.stats import recommendation

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    served, scores = (
        {Path(path).stem: read(path) for path in paths if path.endswith(".csv")}
        for paths in (files.served, files.get("scores", []))
    )
    rows = recommendation.table(served, scores, params.alpha, params.why)
    write_table(snakemake.output.table, rows)
    _, of_judges = scores.get(JUDGES, (None, {"own": {"judges": {}}}))
    judges = [
        f"{name}: {one['left_out'] or 'may judge'}"
        for name, one in of_judges["own"]["judges"].items()
    ]
    rehearsal = any(conditions["tier"] == "rehearsal" for _, conditions in served.values())
    page = domain.build(rows, judges, rehearsal=rehearsal)
    with replacing(snakemake.output.html) as temporary:
        temporary.write_text(page, encoding="utf-8")
