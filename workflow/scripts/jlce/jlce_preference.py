from kensho.evaluate.journal import Journal
from kensho.jlce.chat import Endpoint
from kensho.jlce.preference import EXPERIMENT, ORDERS, compare
from kensho.judging import verdicts
from kensho.observations import write
from kensho.run.job import job
from kensho.run.registration import registered

with job(snakemake):
    claims = registered(EXPERIMENT)
    params, journal = snakemake.params, Journal(snakemake.params.journal)
    url = snakemake.config["jlce"]["judge"]["url"]
    endpoint = Endpoint(url=url, **params.judge, seed=params.seed)
    planted = verdicts.of_planted(verdicts.planted(snakemake.input.planted))
    rows = verdicts.ask(endpoint, [one for one in planted if one.kind.endswith("pair")], journal)
    table, conditions = compare(params.arms, snakemake.input.answers, endpoint, journal)
    standing = verdicts.standing(rows, "pair", params.planted_right, 1.0)
    own, unread = conditions["own"], conditions["own"]["unread"]["pairs"]
    asked, why = sum(own["pairs"].values()), standing.why
    if not why and unread > params.most_missing * asked:
        why = f"its verdict on {unread} of {asked} pairs could not be read"
    if why:
        why = f"the judge cannot be relied on: {why}"
        conditions["absent"] = dict.fromkeys(ORDERS, why)
        conditions["deviations"].append(why)
    own["planted"] = {"right": standing.right, "outcomes": standing.outcomes}
    write(f"results/benchmark_data/{EXPERIMENT}", table, {**conditions, "registered": claims})
