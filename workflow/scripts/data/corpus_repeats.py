import sys

from kensho.data import minhash, shards
from kensho.run.job import job, paths

with job(snakemake):
    given = paths(snakemake.input)
    files = [*map(minhash.Sketches, given["bands"], given["sketches"])]
    found = minhash.duplicates(files, snakemake.params.threshold)
    shards.write_repeats(snakemake.output.repeats, found, snakemake.params.names)
    exact = int(found.exact.sum())
    print(f"{exact} equal, {len(found.exact) - exact} near", file=sys.stderr)
