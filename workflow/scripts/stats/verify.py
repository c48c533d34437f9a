import json
import sys
from pathlib import Path

from kensho.stats.derive import verify
from scripts.job import job

with job(snakemake):
    paths = sorted(Path("results").glob("*_summary.json"))
    if not paths:
        raise ValueError("results/statistical_summary.json: missing; run the workflow first")
    summaries = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    if differences := verify(summaries, Path("results")):
        print(*differences, sep="\n", file=sys.stderr)
        raise ValueError(f"{len(differences)} difference(s), the first: {differences[0]}")
    judged = {e["id"] for summary in summaries.values() for e in summary["claims"] if e["analysis"]}
    print(f"verified: {len(judged)} verdicts follow from their observations", file=sys.stderr)
