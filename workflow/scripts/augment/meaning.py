import pandas as pd
from kensho.augment.guard import drawn, scored, summary
from kensho.data.corpus import read_table
from kensho.files import read_json, write_table
from kensho.run.job import job

with job(snakemake):
    params, train = snakemake.params, read_table(snakemake.input.train)
    known = read_table(snakemake.input.connections)
    tables = map(read_table, snakemake.input.variants)
    scores = pd.concat(
        table
        if "similarity" in table
        else scored(drawn(table, params.sample, params.seed), train, known)
        for table in tables
    )
    threshold = read_json(snakemake.input.guard)["threshold"]
    write_table(snakemake.output[0], summary(scores, threshold))
