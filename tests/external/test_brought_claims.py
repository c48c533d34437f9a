"""What is checked of claims that bring tables before anything runs, and incomplete items."""

from pathlib import Path

import pytest
from brought import (
    BASE,
    SCORES,
    TUNED,
    WINS,
    claim,
    lines,
    log,
    logs,
    observe,
    of_arms,
    put,
    values,
)
from kensho import external, observations
from pydantic import ValidationError


def one(arm="tuned", **more):
    return {"path": "scores.csv", "format": "csv", "arm": arm, **more}


def whole(**more):
    return {"external": [{**one(None), **more}]}


FAULTS = {
    "the workflow's own experiment": ({"experiment": "evaluation"}, "run by the workflow"),
    "no file name": ({"experiment": "my/own"}, "'my/own' becomes a file name"),
    "no arm": ({"external": [{"path": "a", "format": "lm-eval"}]}, "[0].arm: required key"),
    "no arm of a judgement": (whole(layout="pairwise"), "[0].arm: required key is missing"),
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
    "a key of another format": (whole(filter="strict"), "[0].filter: format csv does not read it"),
    "a delimiter of JSON": (
        whole(format="jsonl", delimiter=";"),
        "[0].delimiter: format jsonl does not read it; leave it out",
    ),
    "a field of another layout": (
        whole(fields={"judge": "who"}),
        "[0].fields.judge: layout long does not read it; leave it out",
    ),
    "a score of another layout": (
        whole(layout="wide", score="points"),
        "[0].score: layout wide does not read it; leave it out",
    ),
    "clusters of a format without": (
        {"levels": ["topic", "item"], "external": [one(format="helm", metric="score")]},
        "[0].format: helm says no level 'topic'; leave it out",
    ),
    "means for items": (
        {"external": [one(a, format="lm-eval-results", metric="score") for a in ("base", "tuned")]},
        "scores.csv holds one mean for each task and no items, so levels must be [task]; for "
        "items bring the log that --log_samples writes",
    ),
    "one log for two arms": (
        {"external": [one(a, format="lm-eval", metric="score") for a in ("base", "tuned")]},
        "[1].path: scores.csv is of 'base' too; bring one of each",
    ),
    "one list of comparisons for two arms": (
        {"external": [one(a, format="comparisons") for a in ("base", "tuned")]},
        "[1].path: scores.csv is of 'base' too",
    ),
    "a metric that no table gives": (
        whole(score="points"),
        "metric: the tables of 'base' give no 'score', known: points",
    ),
    "a metric misnamed": (
        whole(metric="scores"),
        "metric: the tables of 'base' give no 'score', did you mean 'scores'?",
    ),
    "a metric of judgements": (
        {"external": [one(a, layout="pairwise") for a in ("base", "tuned")]},
        "give no 'score', known: preference.first, preference.second",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_faulty_claim_is_refused_before_anything_runs(case):
    change, said = FAULTS[case]
    found = external.problems([claim(**change)], ["evaluation"])
    assert all(line.startswith("claim OWN-1: test") for line in found)
    assert any(said in line for line in found), found


def test_a_name_that_is_no_file_name_is_told_of_aliases():
    readings = [claim().test.readings[0].model_dump()]
    readings[0]["treatment"]["arm"] = "org/モデル 7B"
    (line,) = external.problems([claim(readings=readings)], [])
    assert (
        "'org/モデル 7B' becomes a file name" in line
        and "aliases: {a-name: 'org/モデル 7B'}" in line
    )


@pytest.mark.parametrize(
    "key", [{"aliases": {"base": "org/x"}}, {"incomplete": "drop"}, {"levels": ["item"]}]
)
def test_claims_that_share_an_experiment_share_what_they_ask_of_it(key):
    assert external.problems([claim(), claim("OWN-4")], []) == []
    (line,) = external.problems([claim(), claim("OWN-2", **key)], [])
    (name,) = key
    assert line.startswith(f"claim OWN-2: test.{name}: OWN-1 names the experiment 'brought' with")


def test_claims_that_share_an_experiment_share_its_tables():
    other = claim("OWN-2", external=[{"path": "else.csv", "format": "csv"}])
    none = claim("OWN-3", external=[])
    for second in (other, none):
        (line,) = external.problems([claim(), second], [])
        assert f"claim {second.id}: " in line and "OWN-1 names the experiment 'brought'" in line


@pytest.mark.parametrize(("key", "value"), [("aliases", {"base": "x"}), ("incomplete", "drop")])
def test_keys_of_brought_tables_go_with_them(key, value):
    (line,) = external.problems([claim(external=[], **{key: value})], [])
    assert line == f"claim OWN-1: test.{key}: goes with `external`, and only with it"


@pytest.mark.parametrize(
    "key",
    [
        {"aliases": {"base": "x", "tuned": "x"}},
        {"incomplete": "keep"},
        whole(delimiter=";;"),
        whole(decimal="'"),
        whole(fields={"points": "x"}),
        whole(layout="tall"),
    ],
)
def test_a_key_with_no_meaning_is_refused(key):
    with pytest.raises(ValidationError):
        claim(**key)


def test_an_experiment_gathers_what_its_claims_ask():
    reading = claim().test.readings[0].model_dump()
    reading["treatment"]["arm"] = "large"
    asked = {"aliases": {"base": "org/x"}, "incomplete": "drop"}
    found = external.experiments([claim(**asked), claim("OWN-2", readings=[reading], **asked)])[
        "brought"
    ]
    assert found.arms == ["base", "large", "tuned"]
    assert (found.aliases, found.incomplete, found.orders) == ({"base": "org/x"}, "drop", "both")
    assert external.Experiment.of(found.record()) == found


def imported(folder, asked):
    put("scores.csv", SCORES)
    for table, conditions in external.observe("brought", asked["brought"]).values():
        observations.write(folder / "brought", table, conditions)


def test_a_file_is_missed_until_its_experiment_is_imported(tmp_path):
    asked = external.experiments([claim()])
    assert external.missing(asked, tmp_path) == [
        "scores.csv: missing; put it there or mend the path in the claim"
    ]
    assert external.moved(asked, tmp_path) == [] and external.digests(asked["brought"]) == [""]
    imported(tmp_path, asked)
    assert external.missing(asked, tmp_path) == [] and external.moved(asked, tmp_path) == []
    assert len(external.digests(asked["brought"])[0]) == 16
    Path("scores.csv").unlink()
    assert external.missing(asked, tmp_path) == []
    (line,) = external.moved(asked, tmp_path)
    assert line.startswith("scores.csv: gone since the import; ")
    Path("scores.csv").mkdir()
    assert external.missing(asked, tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        {"levels": ["item"]},
        {"aliases": {"base": "org/x"}},
        {"incomplete": "drop"},
        whole(delimiter=";"),
    ],
)
def test_a_claim_that_asks_for_something_else_needs_the_file_again(tmp_path, change):
    imported(tmp_path, external.experiments([claim()]))
    Path("scores.csv").unlink()
    asked = external.experiments([claim(**change)])
    assert len(external.missing(asked, tmp_path)) == 1 and external.moved(asked, tmp_path) == []


def test_a_folder_under_the_name_of_a_file_is_named(tmp_path):
    Path("scores.csv").mkdir()
    (line,) = external.missing(external.experiments([claim()]), tmp_path)
    assert line == "scores.csv: is a folder; name the file in it"


CSV = {"path": "scores.csv", "format": "csv"}
INCOMPLETE = {  # table, what is kept of it, and what is said of the rest
    "missing rows": (
        SCORES + "base,c,1\nbase,d,1\ntuned,e,2\n",
        {"base": {"a": 1, "b": 2}, "tuned": {"a": 3, "b": 4.5}},
        "3 of 5 items left out, which not every arm has (score; items that an arm lacks: "
        "base 1, tuned 2)",
    ),
    "a blank": (
        SCORES.replace("4.5", ""),
        {"base": {"a": 1}, "tuned": {"a": 3}},
        "1 of 2 items left out, which not every arm has (score; items that an arm lacks: "
        "base 0, tuned 1)",
    ),
    "one blank of two replicates": (
        "arm,item,score,replicate\nbase,a,1,0\nbase,a,,1\nbase,b,1,0\ntuned,a,2,0\ntuned,b,3,0\n",
        {"base": {"b": 1}, "tuned": {"b": 3}},
        "1 of 2 items left out, which not every arm has (score; items that an arm lacks: "
        "base 1, tuned 0)",
    ),
    "nothing": (SCORES, {"base": {"a": 1, "b": 2}, "tuned": {"a": 3, "b": 4.5}}, None),
}


@pytest.mark.parametrize("case", INCOMPLETE)
def test_incomplete_items_are_dropped_and_counted_where_the_claim_says_so(case):
    text, kept, said = INCOMPLETE[case]
    put("scores.csv", text)
    found = observe(CSV, incomplete="drop")
    assert of_arms(found) == kept
    for arm, (table, conditions) in found.items():
        assert conditions["deviations"] == ([said] if said else [])
        assert conditions["tables"][0]["rows"] == len(table) == len(kept[arm])
    if said:
        with pytest.raises(ValueError, match=r"^scores\.csv, line \d: .*no score"):
            observe(CSV)


def test_incomplete_items_of_other_layouts_are_dropped_too():
    put("scores.csv", "item,base,tuned\na,1,3\nb,,4\nc,1,\n")
    found = observe({**CSV, "layout": "wide"}, incomplete="drop")
    assert of_arms(found) == {"base": {"a": 1}, "tuned": {"a": 3}}
    put(BASE, log([1.0, 0.0, 1.0]))
    put(TUNED, log([0.0, 1.0]))
    assert of_arms(observe(*logs(), incomplete="drop"))["base"] == {"0": 1, "1": 0}
    put("wins.csv", WINS + "p3,base,gpt,base\np4,base,gpt,\np4,tuned,gpt,base\n")
    table = {"path": "wins.csv", "format": "pairwise", "arm": "tuned"}
    found, conditions = observe(table, arms=["tuned"], incomplete="drop")["tuned"]
    assert set(found["block"]) == {"p1", "p2"}
    assert conditions["deviations"][0].startswith("2 of 4 items left out")
    put(
        "scores.jsonl",
        lines(
            [{"arm": "base", "item": "a", "score": None}, {"arm": "base", "item": "b", "score": 1}]
        ),
    )
    table = {"path": "scores.jsonl", "format": "jsonl"}
    found, conditions = observe(table, arms=["base"], incomplete="drop")["base"]
    assert values(found) == {"b": 1} and len(conditions["deviations"]) == 1


def test_nothing_left_is_refused():
    put("scores.csv", "arm,item,score\nbase,a,1\ntuned,b,2\n")
    with pytest.raises(ValueError, match=r"no item has score in every arm .*base 1, tuned 1"):
        observe(CSV, incomplete="drop")
    put("scores.csv", "arm,item,score\nbase,a,\n")
    with pytest.raises(ValueError, match=r"no item has score in every arm"):
        observe(CSV, arms=["base"], incomplete="drop")


def test_a_metric_that_only_the_log_could_tell_is_missed_at_the_import():
    """A log of one metric needs no `metric:`, so that the claim alone does not show the fault."""
    tables = [
        {"path": path, "format": "lm-eval", "arm": arm}
        for path, arm in ((BASE, "base"), (TUNED, "tuned"))
    ]
    for path in (BASE, TUNED):
        put(path, log([1.0, 0.0], metrics=["exact_match"], exact_match=1.0))
    for metric, said in (
        ("exact_mach", "did you mean 'exact_match'?"),
        ("acc", "known: exact_match"),
        ("f1", "known: exact_match"),
    ):
        readings = [claim().test.readings[0].model_dump()]
        for side in ("treatment", "control"):
            readings[0][side]["metric"] = metric
        asked = claim(external=tables, readings=readings)
        assert external.problems([asked], []) == []
        brought = external.observe("brought", external.experiments([asked])["brought"])
        registered = {"OWN-1": {**asked.model_dump(mode="json"), "family_size": 3}}
        with pytest.raises(ValueError) as error:
            external.check_metrics(registered, brought)
        line = f"claim OWN-1: test.metric: the tables of 'tuned' give no '{metric}', {said}"
        assert str(error.value) == line
        readings[0]["treatment"]["metric"] = readings[0]["control"]["metric"] = "exact_match"
        asked = claim(external=tables, readings=readings)
        external.check_metrics({"OWN-1": asked.model_dump(mode="json")}, brought)
