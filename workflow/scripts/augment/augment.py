import pandas as pd
from kensho.augment.driver import select
from kensho.data import corpus
from kensho.data.corpus import read_table
from kensho.files import read_json, write_table
from kensho.models.reference import base
from kensho.observations import environment, table, write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    claims = registered("augmentation")
    train = read_table(snakemake.input.train)
    calibrated = [read_json(path) for path in snakemake.input.guard]
    samples, counts = select(
        pd.concat(map(read_table, snakemake.input.variants), ignore_index=True),
        train,
        read_table(snakemake.input.test),
        target=snakemake.params.target,
        threshold=snakemake.params.threshold,
        least_similarity=calibrated[0]["threshold"] if calibrated else None,
        seed=snakemake.params.seed,
    )
    corpus.write_table(snakemake.output.samples, samples)
    write_table(snakemake.output.counts, counts)
    counts_of = {"original": len(train), "augmented": len(samples)}
    methods = (
        f"{'; '.join(snakemake.params.techniques)}: the source names EDA, back-translation and "
        "BERT replacement"
    )
    constants = {"experiment": "augmentation", "block": "train", "replicate": 0}
    write(
        "results/benchmark_data/augmentation",
        table(
            {**constants, "arm": arm, "metric": "samples", "value": count, "unit": "samples"}
            for arm, count in counts_of.items()
        ),
        {
            "ran": {
                "models": [base(path).ran() for path in dict.fromkeys(snakemake.input.models)],
                "stand_ins": [methods],
            },
            "registered": claims,
            "seeds": [snakemake.params.seed],
            "dtype": "none: counts",
            "warmup": "none: a count does not depend on time",
            "fallbacks": [],
            "deviations": [methods],
            **environment(),
        },
    )
