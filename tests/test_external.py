import json

import numpy as np
import pytest
from kensho import external, observations
from kensho.claims.base import ExternalTable
from kensho.claims.model import Claim
from kensho.files import sha256

BASE, TUNED = (f"{arm}/samples_jnli_2026-05-01T10-00-00.000001.jsonl" for arm in ("base", "tuned"))
SCORES = "arm,item,score\nbase,a,1\nbase,b,2\ntuned,a,3\ntuned,b,4.5\n"
WINS = (
    "prompt,order,judge,winner\n"
    "p1,tuned,gpt,tuned\np1,base,gpt,tie\np2,tuned,gpt,base\np2,base,gpt,tuned\n"
    "p1,tuned,human,tie\np1,base,human,base\np2,tuned,human,tuned\np2,base,human,tuned\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def put(path, text):
    folder = external.Path(path).parent
    folder.mkdir(exist_ok=True)
    external.Path(path).write_text(text, encoding="utf-8")


def log(scores, **more):
    """A log as the harness writes it, but for what it was asked and answered."""
    lines = [
        {
            "doc_id": number,
            "doc": {"passage": f"p{number // 2}", "key": f"q/{number}"},
            "target": "1",
            "filter": "none",
            "metrics": ["acc", "acc_norm"],
            "doc_hash": f"hash {number}",
            "acc": score,
            "acc_norm": 0.0,
            **more,
        }
        for number, score in enumerate(scores)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def observe(*tables, arms=("base", "tuned"), levels=("block",)):
    experiment = external.Experiment(
        [ExternalTable(**table) for table in tables], list(levels), list(arms)
    )
    return external.observe("brought", experiment)


def logs(**more):
    return [
        {"path": path, "format": "lm-eval", "arm": arm, "metric": "acc", **more}
        for path, arm in ((BASE, "base"), (TUNED, "tuned"))
    ]


def both_logs(base=(1.0, 0.0, 1.0, 0.0), tuned=(1.0, 1.0, 1.0, 0.0), **more):
    put(BASE, log(base))
    put(TUNED, log(tuned, **more))


def values(frame):
    return dict(zip(frame["block"], frame["value"], strict=True))


def test_logs_of_the_harness_become_observations_that_can_be_written_and_read(tmp_path):
    both_logs(tuned=[True, True, 1, 0.0])
    found = observe(*logs())
    assert values(found["base"][0]) == {"0": 1, "1": 0, "2": 1, "3": 0}
    assert values(found["tuned"][0]) == {"0": 1, "1": 1, "2": 1, "3": 0}
    conditions = found["tuned"][1]
    assert conditions["tier"] == "published"
    (source,) = conditions["tables"]
    assert source["path"] == TUNED and source["sha256"] == sha256(TUNED) and source["rows"] == 4
    observations.write(tmp_path / "brought", *found["tuned"])
    table, stored = observations.read(tmp_path / "brought" / "tuned.csv")
    assert set(table["metric"]) == {"acc"} and stored["note"].startswith("the data existed before")


@pytest.mark.parametrize(
    ("levels", "more", "blocks"),
    [
        (["item"], {}, ["0", "1"]),
        (["task", "item"], {}, ["jnli/0", "jnli/1"]),
        (["passage", "item"], {"cluster": "passage"}, ["p0/0", "p0/1"]),
        (["task", "passage", "item"], {"cluster": "passage"}, ["jnli/p0/0", "jnli/p0/1"]),
        (["item"], {"item": "key"}, ["q%2F0", "q%2F1"]),
    ],
)
def test_levels_name_the_parts_of_a_block(levels, more, blocks):
    both_logs([1.0, 0.0], [1.0, 0.0])
    found = observe(*logs(**more), levels=levels)
    assert list(found["base"][0]["block"]) == blocks


def test_the_task_of_a_line_wins_over_the_name_of_the_file():
    put("a.jsonl", log([1.0], task="jsquad"))
    table = {"path": "a.jsonl", "format": "lm-eval", "arm": "base", "metric": "acc"}
    found = observe(table, arms=["base"], levels=["task", "item"])
    assert list(found["base"][0]["block"]) == ["jsquad/0"]
    put("a.jsonl", log([1.0]))
    with pytest.raises(ValueError, match=r"^a\.jsonl, line 1: nothing says the task"):
        observe(table, arms=["base"], levels=["task", "item"])


def test_one_of_several_filters_is_chosen():
    put(BASE, log([1.0, 0.0], filter="strict") + log([1.0, 1.0], filter="flexible"))
    table = {"path": BASE, "format": "lm-eval", "arm": "base", "metric": "acc"}
    found = observe({**table, "filter": "flexible"}, arms=["base"])
    assert values(found["base"][0]) == {"0": 1, "1": 1}
    with pytest.raises(ValueError, match="filters flexible, strict; choose one"):
        observe(table, arms=["base"])
    with pytest.raises(ValueError, match="no filter 'strcit', did you mean 'strict'"):
        observe({**table, "filter": "strcit"}, arms=["base"])


def test_several_logs_of_an_arm_are_told_apart_by_their_task():
    second = "base/samples_jsquad_2026-05-01T10-00-00.000001.jsonl"
    put(BASE, log([1.0]))
    put(second, log([0.0]))
    tables = [
        {"path": path, "format": "lm-eval", "arm": "base", "metric": "acc"}
        for path in (BASE, second)
    ]
    found = observe(*tables, arms=["base"], levels=["task", "item"])
    assert values(found["base"][0]) == {"jnli/0": 1, "jsquad/0": 0}
    assert len(found["base"][1]["tables"]) == 2
    with pytest.raises(ValueError, match=f"^{second}, line 1: .*twice, first in {BASE}, line 1"):
        observe(*tables, arms=["base"])


def test_a_log_that_the_harness_itself_wrote_is_read(tmp_path):
    from lm_eval.loggers.evaluation_tracker import EvaluationTracker

    tracker = EvaluationTracker(output_path=str(tmp_path))
    tracker.general_config_tracker.model_name_sanitized = "base"
    tracker.date_id = "2026-05-01T10-00-00.000001"
    sample = {
        **{"target": 1, "arguments": [("question", " answer")], "resps": [[(-1.0, True)]]},
        **{"filtered_resps": [(-1.0, True)], "filter": "none", "metrics": ["acc"]},
        **{"doc_hash": "h", "prompt_hash": "h", "target_hash": "h"},
    }
    samples = [{**sample, "doc_id": n, "doc": {"n": n}, "acc": np.float64(n)} for n in (0, 1)]
    tracker.save_results_samples("jnli", samples)
    (path,) = (tmp_path / "base").glob("samples_jnli_*.jsonl")
    table = {"path": str(path), "format": "lm-eval", "arm": "base"}
    found = observe(table, arms=["base"], levels=["task", "item"])
    assert values(found["base"][0]) == {"jnli/0": 0, "jnli/1": 1}


def test_a_csv_holds_all_arms_or_one():
    put("scores.csv", SCORES)
    found = observe({"path": "scores.csv", "format": "csv"})
    assert values(found["tuned"][0]) == {"a": 3, "b": 4.5}
    put("points.csv", "q,topic,points,replicate,unit\na,t,1,0,points\na,t,2,1,points\n")
    table = {
        **{"path": "points.csv", "format": "csv", "arm": "base"},
        **{"item": "q", "cluster": "topic", "score": "points", "metric": "quality"},
    }
    frame = observe(table, arms=["base"], levels=["topic", "item"])["base"][0]
    assert frame[["block", "replicate", "metric", "value", "unit"]].values.tolist() == [
        ["t/a", 0, "quality", 1.0, "points"],
        ["t/a", 1, "quality", 2.0, "points"],
    ]


def test_an_arm_that_no_claim_reads_is_left_out():
    put("scores.csv", SCORES + "other,z,1\n")
    assert set(observe({"path": "scores.csv", "format": "csv"})) == {"base", "tuned"}


def test_a_file_with_a_mark_and_windows_line_ends_reads_the_same():
    put("scores.csv", "\ufeff" + SCORES.replace("\n", "\r\n"))
    assert values(observe({"path": "scores.csv", "format": "csv"})["base"][0]) == {"a": 1, "b": 2}


def test_preferences_are_those_for_the_named_arm_by_its_place_and_judge():
    put("wins.csv", WINS)
    found = observe({"path": "wins.csv", "format": "pairwise", "arm": "tuned"}, arms=["tuned"])
    table, conditions = found["tuned"]
    assert conditions["judges"] == ["gpt", "human"]
    got = {
        (row.block, row.metric.split(".")[1], row.replicate): row.value
        for row in table.itertuples()
    }
    assert got == {
        ("p1", "first", 0): 1,
        ("p1", "second", 0): 0.5,
        ("p2", "first", 0): 0,
        ("p2", "second", 0): 1,
        ("p1", "first", 1): 0.5,
        ("p1", "second", 1): 0,
        ("p2", "first", 1): 1,
        ("p2", "second", 1): 1,
    }


def test_the_other_arm_sees_the_same_table_from_the_other_side():
    put("wins.csv", WINS)
    mine, other = (
        observe({"path": "wins.csv", "format": "pairwise", "arm": arm}, arms=[arm])[arm][0]
        for arm in ("tuned", "base")
    )
    place = {"preference.first": "preference.second", "preference.second": "preference.first"}
    turned = other.assign(metric=other["metric"].map(place), value=1 - other["value"], arm="tuned")
    key = ["metric", "block", "replicate"]
    assert turned.sort_values(key).values.tolist() == mine.sort_values(key).values.tolist()


def csv(text, **more):
    put("scores.csv", text)
    return [{"path": "scores.csv", "format": "csv", **more}]


def pairwise(text, **more):
    put("wins.csv", text)
    return [{"path": "wins.csv", "format": "pairwise", "arm": "tuned", **more}]


def harness(base, tuned, **more):
    put(BASE, base)
    put(TUNED, tuned)
    return logs(**more)


GOOD = log([1.0, 0.0])
BAD = {
    "missing file": (lambda: [{"path": "no.csv", "format": "csv"}], r"no\.csv: missing; put it"),
    "empty file": (lambda: csv(""), r"scores\.csv: holds no result"),
    "header only": (lambda: csv("arm,item,score\n"), r"scores\.csv: holds no result"),
    "empty log": (lambda: harness(GOOD, "\n"), f"{TUNED}: holds no result"),
    "missing column": (
        lambda: csv(SCORES.replace("score", "scores")),
        r"scores\.csv, line 1: no column 'score', did you mean 'scores'",
    ),
    "missing arm": (
        lambda: csv(SCORES.replace("tuned", "tuend")),
        r"scores\.csv: no row of the arm 'tuned', did you mean 'tuend'",
    ),
    "text for a number": (
        lambda: csv(SCORES.replace("4.5", "good")),
        r"scores\.csv, line 5: score is 'good', not a finite number",
    ),
    "NaN": (lambda: csv(SCORES.replace("4.5", "NaN")), r"scores\.csv, line 5: score is 'NaN'"),
    "blank": (lambda: csv(SCORES.replace("4.5", "")), r"scores\.csv, line 5: no score"),
    "thousands": (lambda: csv(SCORES.replace("4.5", '"4,500"')), r"scores\.csv, line 5: score is"),
    "short row": (lambda: csv(SCORES + "tuned,c\n"), r"scores\.csv, line 6: not 3 cells"),
    "long row": (lambda: csv(SCORES + "tuned,c,1,2\n"), r"scores\.csv, line 6: not 3 cells"),
    "open quote": (lambda: csv(SCORES + 'tuned,"c,1\n'), r"scores\.csv, line 6: "),
    "repeated item": (
        lambda: csv(SCORES + "tuned,b,4\n"),
        r"scores\.csv, line 6: item 'b' of 'tuned' stands there twice, first in .*, line 5",
    ),
    "unpaired item": (
        lambda: csv(SCORES + "tuned,c,4\n"),
        r"scores\.csv, line 6: item 'c' of 'tuned' has no score in 'base' \(1 such",
    ),
    "replicate": (
        lambda: csv("arm,item,score,replicate\nbase,a,1,x\n"),
        r"scores\.csv, line 2: replicate 'x' is not a whole number",
    ),
    "not JSON": (lambda: harness(GOOD, GOOD + "{\n"), f"{TUNED}, line 3: not a JSON object"),
    "no such metric": (
        lambda: harness(GOOD, GOOD, metric="accc"),
        f"{BASE}, line 1: no accc, did you mean 'acc'",
    ),
    "no metric chosen": (
        lambda: harness(GOOD, GOOD, metric=None),
        f"{BASE}, line 1: the metrics are acc, acc_norm; choose one",
    ),
    "metric that is a list": (
        lambda: harness(GOOD, log([[1, 2], 0.0])),
        rf"{TUNED}, line 1: acc is '\[1, 2\]', not a finite number",
    ),
    "NaN in a log": (lambda: harness(GOOD, log([1.0, float("nan")])), f"{TUNED}, line 2: acc is"),
    "other document": (
        lambda: harness(GOOD, GOOD.replace("hash 1", "hash x")),
        f"{TUNED}, line 2: item '1' is another document than in another log",
    ),
    "no such cluster": (
        lambda: harness(GOOD, GOOD, cluster="pasage"),
        f"{BASE}, line 1: no pasage, did you mean 'passage'",
    ),
    "third arm": (
        lambda: pairwise(WINS + "p3,tuned,gpt,else\n"),
        r"wins\.csv, line 10: 'else' is none of tuned, base, tie",
    ),
    "tie as order": (
        lambda: pairwise(WINS + "p3,tie,gpt,tuned\n"),
        r"wins\.csv, line 10: 'tie' is none of tuned, base; a table",
    ),
    "arm not compared": (
        lambda: pairwise(WINS.replace("tuned", "tuend")),
        r"wins\.csv: no 'tuned' in it, did you mean 'tuend'",
    ),
    "one order": (
        lambda: pairwise(WINS + "p3,base,gpt,base\n"),
        r"wins\.csv, line 10: 'p3' is judged in one order only",
    ),
    "repeated judgement": (
        lambda: pairwise(WINS + "p1,base,gpt,base\n"),
        r"wins\.csv, line 10: item 'p1' of 'tuned' stands there twice, first in wins\.csv, line 3",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_in_one_line_with_file_and_line(case):
    make, said = BAD[case]
    tables = make()
    arms = ["tuned"] if tables[0]["format"] == "pairwise" else ["base", "tuned"]
    with pytest.raises(ValueError, match="^" + said) as error:
        observe(*tables, arms=arms)
    assert "\n" not in str(error.value)


def claim(name="OWN-1", **test):
    side = {"metric": "score", "block": None}
    return Claim.model_validate(
        {
            "id": name,
            "source": "A",
            "statement": "tuned is better",
            "quantity": "score, tuned - base",
            "unit": "points",
            "claimed": {"at_least": 1.0},
            "scope": {"models": []},
            "required_tier": "published",
            "test": {
                "design": "paired_difference",
                "outcome": "score",
                "prior": {"location": 1.0, "spread": 1.0},
                "experiment": "brought",
                "external": [{"path": "scores.csv", "format": "csv"}],
                "readings": [
                    {
                        "label": "mean",
                        "treatment": {"arm": "tuned", **side},
                        "control": {"arm": "base", **side},
                    }
                ],
                "region": [1.0, None],
                "direction": "greater",
                "sesoi": 0.1,
                **test,
            },
            "not_tested": None,
        }
    )


def one(arm="tuned", **more):
    return {"path": "scores.csv", "format": "csv", "arm": arm, **more}


FAULTS = {
    "the workflow's own experiment": ({"experiment": "evaluation"}, "run by the workflow"),
    "no file name": ({"experiment": "my/own"}, "'my/own' becomes a file name"),
    "no arm": ({"external": [{"path": "a", "format": "lm-eval"}]}, "[0].arm: required key"),
    "an arm without a table": ({"external": [one()]}, "no table of the arm 'base'"),
    "a cluster without a level": (
        {"external": [one(), one("base", cluster="topic")]},
        "[1].cluster: the test has no level for 'topic'; give it levels: [topic, item]",
    ),
    "a level without a cluster": (
        {"levels": ["topic", "item"]},
        "[0].cluster: name the column of the level 'topic'",
    ),
    "two levels of clusters": (
        {"levels": ["a", "b", "item"], "external": [{**one(None), "cluster": "a"}]},
        "one level of clusters, the test has a and b",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_faulty_claim_is_refused_before_anything_runs(case):
    change, said = FAULTS[case]
    (line,) = external.problems([claim(**change)], ["evaluation"])
    assert line.startswith("claim OWN-1: test") and said in line


def test_claims_that_share_an_experiment_share_its_tables():
    other = claim("OWN-2", external=[{"path": "else.csv", "format": "csv"}])
    none = claim("OWN-3", external=[])
    assert external.problems([claim(), claim("OWN-4")], []) == []
    for second in (other, none):
        (line,) = external.problems([claim(), second], [])
        assert f"claim {second.id}: " in line and "OWN-1 names the experiment 'brought'" in line


def test_an_experiment_gathers_the_arms_of_all_its_claims():
    reading = claim().test.readings[0].model_dump()
    reading["treatment"]["arm"] = "large"
    found = external.experiments([claim(), claim("OWN-2", readings=[reading])])
    assert found["brought"].arms == ["base", "large", "tuned"]


def test_a_file_is_missed_until_its_experiment_is_imported(tmp_path):
    wanted = external.experiments([claim()])
    (line,) = external.missing(wanted, tmp_path)
    assert line.startswith("scores.csv: missing")
    put("scores.csv", SCORES)
    assert external.missing(wanted, tmp_path) == []
    external.Path("scores.csv").unlink()
    for arm in ("base", "tuned"):
        put(f"brought/{arm}.csv", "")
    assert external.missing(wanted, tmp_path) == []
