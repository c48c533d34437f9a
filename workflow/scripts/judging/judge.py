from kensho.evaluate.journal import Journal
from kensho.files import write_lines
from kensho.jlce.chat import Endpoint
from kensho.judging import items, verdicts
from kensho.judging.tables import answers_of
from kensho.run.job import job

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    address = next(
        one
        for one in snakemake.config["judging"]["judges"]
        if one["name"] == snakemake.wildcards.judge
    )
    endpoint = Endpoint(url=address["url"], **params.judge, seed=params.seed, key="judging.judges")
    answers = {
        arm: dict(zip(table["block"], table["answer"], strict=True))
        for arm, table in answers_of(params.arms, files.answers).items()
    }
    after, before, *anchors = params.arms
    questions = [
        *verdicts.of_planted(verdicts.planted(files.planted)),
        *verdicts.of_answers(items.read(files.asked), answers, after, before, anchors),
    ]
    rows = verdicts.ask(endpoint, questions, Journal(params.journal))
    if told := verdicts.unjudged(rows):
        print(
            f"judge {snakemake.wildcards.judge}: of {len(rows)} replies {told}; to ask for these "
            f"again, delete {snakemake.output[0]}"
        )
    write_lines(snakemake.output[0], rows.to_dict("records"))
