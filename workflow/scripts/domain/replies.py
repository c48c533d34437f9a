import pandas as pd
from kensho.data.corpus import read_table
from kensho.domain import scores
from kensho.evaluate.journal import Journal
from kensho.files import write_lines
from kensho.jlce.chat import Endpoint
from kensho.judging import items, tables, verdicts
from kensho.run.job import job

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    address = next(
        one
        for one in snakemake.config["judging"]["judges"]
        if one["name"] == snakemake.wildcards.judge
    )
    endpoint = Endpoint(url=address["url"], **params.judge, seed=params.seed, key="judging.judges")
    written = pd.concat([tables.read(path, ["arm", "block", "answer"]) for path in files.answers])
    questions = [
        *verdicts.of_planted_scores(verdicts.planted(files.planted)),
        *scores.questions([*items.sentences(read_table(files.test))], written),
    ]
    rows = verdicts.ask(endpoint, questions, Journal(params.journal))
    if told := verdicts.unjudged(rows):
        print(
            f"judge {snakemake.wildcards.judge}: of {len(rows)} replies {told}; to ask for these "
            f"again, delete {snakemake.output[0]}"
        )
    write_lines(snakemake.output[0], rows.to_dict("records"))
