import json
import sys
from pathlib import Path

from kensho.run.job import job
from kensho.stats.derive import orphans, verify

with job(snakemake):
    results, claims = Path("results"), snakemake.params.claims
    summaries = {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(results.glob("*_summary.json"))
    }
    left = orphans(summaries, results, claims)
    for path in left:
        print(
            f"{path}: an orphan, since no claim in config/claims has this id; it is passed over. "
            f"Put the claim back, or remove it: rm -f {path} {path.with_suffix('.nc')}",
            file=sys.stderr,
        )
    count = len({*results.glob("analysis/*.json")} - {*left})
    if not count:
        raise ValueError("results/analysis: no verdict to verify; run the workflow first")
    if differences := verify(summaries, results, claims):
        print(*differences, sep="\n", file=sys.stderr)
        raise ValueError(f"{len(differences)} difference(s), the first: {differences[0]}")
    print(f"verified: {count} verdicts follow from their observations", file=sys.stderr)
