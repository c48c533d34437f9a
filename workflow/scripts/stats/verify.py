import sys
from pathlib import Path

from kensho.provenance.rederive import verdicts
from kensho.run.job import job

with job(snakemake):
    count, differences, orphans = verdicts(Path("results"), snakemake.params.claims)
    for path in orphans:
        print(
            f"{path}: an orphan, since no claim in config/claims has this id; it is passed over. "
            f"Put the claim back, or remove it: rm -f {path} {path.with_suffix('.nc')}",
            file=sys.stderr,
        )
    if not count:
        raise ValueError("results/analysis: no verdict to verify; run the workflow first")
    if differences:
        print(*differences, sep="\n", file=sys.stderr)
        raise ValueError(f"{len(differences)} difference(s), the first: {differences[0]}")
    print(f"verified: {count} verdicts follow from their observations", file=sys.stderr)
