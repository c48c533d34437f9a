import json
import sys
from pathlib import Path

from kensho.stats.derive import verify
from scripts.job import job

with job(snakemake):
    path = Path("results/statistical_summary.json")
    if not path.is_file():
        raise ValueError(f"{path}: missing; run the workflow first")
    summary = json.loads(path.read_text(encoding="utf-8"))
    if differences := verify(summary, Path("results")):
        print(*differences, sep="\n", file=sys.stderr)
        raise ValueError(f"{len(differences)} difference(s), the first: {differences[0]}")
    judged = [entry["id"] for entry in summary["claims"] if entry["analysis"]]
    print(f"verified: {len(judged)} verdicts follow from their observations", file=sys.stderr)
