import sys

from kensho.data import minhash, shards
from kensho.run.job import job, paths

with job(snakemake):
    inputs = paths(snakemake.input)
    files = [*map(minhash.Sketches, inputs["bands"], inputs["sketches"])]
    rows = minhash.duplicates(files, snakemake.params.threshold)
    shards.write_repeats(snakemake.output.repeats, rows, snakemake.params.names)
    exact = int(rows.exact.sum())
    print(f"{exact} equal, {len(rows.exact) - exact} near", file=sys.stderr)
