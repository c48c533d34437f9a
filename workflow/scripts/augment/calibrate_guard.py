import pandas as pd
from kensho.augment import grammar
from kensho.augment.guard import calibrate, paraphrases
from kensho.data import corpus
from kensho.data.sources import fetched
from kensho.files import write_json, write_table
from kensho.run.job import job

with job(snakemake):
    inputs, params = snakemake.input, snakemake.params
    path, _ = fetched(inputs.record)
    pairs, _ = corpus.clean(
        corpus.read_tatoeba(path), shortest=params.data["min"], longest=params.data["max"]
    )
    train, test = (corpus.read_table(path) for path in (inputs.train, inputs.test))
    used = pd.concat([train, test])
    both = paraphrases(pairs, used, params.guard["pairs"], params.seed)
    others = grammar.drawn(
        pairs["ja"],
        {*both["first"], *both["second"], *test["ja"]},
        params.guard["sentences"],
        params.seed,
    )
    known = grammar.attested(others)
    write_table(snakemake.output.connections, known)
    write_json(
        snakemake.output.guard,
        {
            **calibrate(both, params.guard["rejected"]),
            "grammar": grammar.calibrate(
                both, known, len(others), params.guard["rejected"], params.seed
            ),
        },
    )
