import pandas as pd
from kensho.augment.guard import calibrate, paraphrases
from kensho.data import corpus
from kensho.data.sources import fetched
from kensho.files import write_json
from kensho.run.job import job

with job(snakemake):
    inputs, params = snakemake.input, snakemake.params
    path, _ = fetched(inputs.record)
    pairs, _ = corpus.clean(
        corpus.read_tatoeba(path), shortest=params.data["min"], longest=params.data["max"]
    )
    used = pd.concat(map(corpus.read_table, (inputs.train, inputs.test)))
    both = paraphrases(pairs, used, params.guard["pairs"], params.seed)
    write_json(snakemake.output[0], calibrate(both, params.guard["rejected"]))
