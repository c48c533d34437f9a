import sys
from pathlib import Path

from kensho.data import records, shards
from kensho.data.cleaning import Cleaner
from kensho.data.minhash import Sketches
from kensho.data.sources import fetched
from kensho.run.job import job, paths

with job(snakemake):
    params, entry = snakemake.params, snakemake.params.entry
    files = []
    for number, path in zip(params.numbers, snakemake.input, strict=True):
        name, licence = params.names[number], entry["licence_class"]
        if snakemake.input.get("records"):
            path, record = fetched(path)
            if path is None:
                raise ValueError(record["reason"])
            licence = record["licence_class"]
        files.append(shards.File(number, name, Path(path), licence))
    how = records.reading(entry, entry["form"], params.cleaning["max_row_bytes"])
    whole = len(files) < len(params.names)  # the shard has files of its own
    part = (0, 0) if whole else (int(snakemake.wildcards.shard), params.shards)
    out = paths(snakemake.output)
    counts = shards.make(
        snakemake.wildcards.corpus,
        shards.rows_of(files, how, *part),
        Cleaner(params.cleaning, entry["kind"], entry["language"]),
        entry["language"],
        how.numbers,
        shards.Written(
            out["documents"], out["measures"], out["drops"], Sketches(out["bands"], out["sketches"])
        ),
    )
    for step, count in sorted(counts.items()):
        print(": ".join(filter(None, step)), count, file=sys.stderr)
