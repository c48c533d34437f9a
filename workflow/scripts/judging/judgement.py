from kensho.files import read_json
from kensho.judging import conditions, items
from kensho.judging.observed import (
    ARMS,
    CONTEXT,
    JUDGES,
    LADDER,
    PREFERENCE,
    absent,
    by_judges,
    marks,
    preferences,
)
from kensho.judging.tables import judged_by
from kensho.observations import Row, table, write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    experiment, kind = params.experiment, params.kind
    claims, asked = registered(experiment), items.read(files.asked)
    judged = judged_by(params.judges, files.judges)
    good, standing_of, rows = by_judges(
        experiment, kind, judged, params.planted_right, params.most_missing
    )
    after, before, *anchors = params.arms
    names = {after: "after", before: "before"}
    if experiment == PREFERENCE:
        rows += preferences(asked, good, names, anchors)
        metrics = {
            **{arm: ["win_rate", "win_rate" + CONTEXT] for arm in ARMS},
            "after-before": ["preference.first", "preference.second"],
            LADDER: ["after over before", "before over after"],
        }
    else:
        rows += marks(asked, good, names)
        metrics = {arm: ["mark", "weighted_mark", "mark" + CONTEXT] for arm in ARMS}
    of_arms = {
        arm: read_json(path) for arm, path in zip(params.arms, files.conditions, strict=True)
    }
    left_out = next(iter(of_arms.values()))["not_tested"]
    nothing = "; ".join(["not all that it rests on was asked and judged", *left_out])
    if experiment == PREFERENCE and not anchors:
        nothing = "there is no fixed set: name arms in judging.anchors"
    rows += [
        Row(experiment, arm, "all", 0, "judges", float(len(good)), "judges") for arm in metrics
    ]
    for arm in (*metrics, JUDGES):
        lacking = conditions.lacking(rows, metrics.get(arm, []), arm)
        made = conditions.of_judgement(
            of_arms,
            judged,
            standing_of,
            experiment=experiment,
            absent=absent(standing_of, lacking, nothing),
        )
        own = table(row for row in rows if row.arm == arm)
        write(f"results/benchmark_data/{experiment}", own, {**made, "registered": claims})
