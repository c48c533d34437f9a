from pathlib import Path

from kensho.bench.medical import run
from kensho.data.sources import fetched
from kensho.fallback import lowered
from kensho.files import read_json
from kensho.models.loading import compute_dtype
from kensho.observations import write
from scripts.job import job
from scripts.registration import registered

with job(snakemake) as fallbacks:
    claims = registered("medical")
    files, datasets, left_out = {}, {}, list(snakemake.params.left_out)
    for record in snakemake.input.subjects:
        path, source = fetched(record)
        if path is None:
            left_out.append(source["reason"])
        else:
            files[source["name"]], datasets[source["name"]] = path, source
    if not files:
        raise ValueError(left_out[0])
    observed, described = run(
        Path(snakemake.input.base),
        files,
        work=Path(snakemake.resources.tmpdir),
        dtype=compute_dtype("auto"),
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        left_out=left_out,
        **snakemake.params.settings,
    )
    model = read_json(snakemake.input.record)
    described = lowered(described, fallbacks, "reference")
    made_of = {"models": {model["source"]["name"]: model}, "datasets": datasets}
    write(
        "results/benchmark_data/medical", observed, {**described, **made_of, "registered": claims}
    )
