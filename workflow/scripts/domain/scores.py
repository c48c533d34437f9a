from kensho.domain import scores
from kensho.domain.arms import ATTENTIONS, CHANGE, JUDGES, SCORES
from kensho.judging import conditions
from kensho.judging.observed import absent, by_judges
from kensho.judging.tables import judged_by
from kensho.observations import Row, table, write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    files, params, claims = snakemake.input, snakemake.params, registered(SCORES)
    served = scores.served(files.served)
    attention = {name: served[name]["own"]["attention"] for name in params.adapted}
    judged = judged_by(params.judges, files.judges)
    good, standing_of, rows = by_judges(
        SCORES, "score", judged, params.planted_right, params.most_missing
    )
    rows += scores.scores(good, attention)
    metrics = dict.fromkeys(served, "score") | dict.fromkeys(ATTENTIONS, CHANGE)
    rows += [Row(SCORES, arm, "all", 0, "judges", float(len(good)), "judges") for arm in metrics]
    for arm in (*metrics, JUDGES):
        wanted = [metrics[arm]] if arm in metrics else []
        lacking = conditions.lacking(rows, wanted, arm)
        made = conditions.of_judgement(
            {arm: served[arm]} if arm in served else served,
            judged,
            standing_of,
            experiment=SCORES,
            absent=absent(standing_of, lacking, scores.why_absent(arm, served, attention)),
        )
        own = table(row for row in rows if row.arm == arm)
        write(f"results/benchmark_data/{SCORES}", own, {**made, "registered": claims})
