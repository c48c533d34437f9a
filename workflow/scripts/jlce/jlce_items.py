from pathlib import Path

from kensho.data.corpus import read_table
from kensho.data.sources import fetched
from kensho.files import read_json, write_json
from kensho.jlce import items, prepare
from kensho.run.job import job


def origin(source: dict) -> dict:
    return {"source": source["name"]} | {key: source[key] for key in ("licence", "attribution")}


with job(snakemake):
    public, origins, left_out = {}, {}, list(snakemake.params.refused)
    for record in snakemake.input.records:
        path, source = fetched(record)
        origins[source["name"]] = origin(source)
        if path is None:
            left_out.append(source["reason"])
        else:
            public[source["name"]] = path
    origins["pairs"] = origin(read_json(snakemake.input.corpus))
    by_kind, kinds = prepare.prepare(
        public,
        origins,
        (read_table(snakemake.input.train), read_table(snakemake.input.test)),
        count=snakemake.params.wanted,
        seed=snakemake.params.seed,
    )
    for path in snakemake.output.documents:
        items.write(path, by_kind[Path(path).stem])
    record = {"kinds": kinds, "tasks": snakemake.params.tasks, "left_out": left_out}
    write_json(snakemake.output.origins, record)
