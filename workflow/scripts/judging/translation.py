from kensho.files import read_json
from kensho.judging import comet, conditions, items
from kensho.judging.observed import ARMS, TRANSLATION, translations
from kensho.judging.tables import answers_of
from kensho.observations import table, write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    claims, files, params = registered(TRANSLATION), snakemake.input, snakemake.params
    asked, answers = items.read(files.asked), answers_of(params.arms, files.answers)
    scores = comet.read(files.comet, answers) if files.get("comet") else {}
    after, before, *anchors = params.arms
    names = {"after": after, "before": before, **{name: name for name in anchors}}
    for name, arm in names.items():
        own = answers[arm]
        written = dict(zip(own["block"], own["answer"], strict=True))
        rows = [*translations(name, asked, written, scores.get(arm, {}))]
        wanted = [*params.why] if name in ARMS else []
        absent = {metric: params.why[metric] for metric in conditions.lacking(rows, wanted, name)}
        made = conditions.of_translations(
            read_json(files.conditions[params.arms.index(arm)]), absent
        )
        write(f"results/benchmark_data/{TRANSLATION}", table(rows), {**made, "registered": claims})
