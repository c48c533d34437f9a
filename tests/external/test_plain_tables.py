"""CSV, JSON lines and Parquet in long, wide and pairwise layout."""

import gzip
import json

import pandas as pd
import pytest
from brought import SCORES, WINS, lines, observe, of_arms, put, values

WANTED = {"base": {"a": 1, "b": 2}, "tuned": {"a": 3, "b": 4.5}}
RECORDS = [
    {"arm": arm, "item": item, "score": score}
    for arm, items in WANTED.items()
    for item, score in items.items()
]
NESTED = [
    {"model": {"name": r["arm"]}, "doc": {"id": r["item"]}, "judge": [{"points": r["score"]}]}
    for r in RECORDS
]
WIDE = [
    {"item": item, "base": WANTED["base"][item], "tuned": WANTED["tuned"][item]} for item in "ab"
]
NESTED_KEYS = {"item": "doc.id", "score": "judge.0.points", "fields": {"arm": "model.name"}}


def parquet(path, records, **more):
    pd.DataFrame(records).to_parquet(path, **more)


FORMS = {  # the same four scores in other files: what is written, and what the claim says
    "csv": (SCORES, {"format": "csv"}),
    "csv, Windows, marked": ("\ufeff" + SCORES.replace("\n", "\r\n"), {"format": "csv"}),
    "csv, old Mac": (SCORES.replace("\n", "\r"), {"format": "csv"}),
    "csv, spaces and blank lines": (
        SCORES.replace(",", " , ").replace("\n", "\n\n"),
        {"format": "csv"},
    ),
    "csv, packed": (gzip.compress(SCORES.encode()), {"format": "csv"}),
    "tabs": (SCORES.replace(",", "\t"), {"format": "csv", "delimiter": "tab"}),
    "tabs, said as they are": (SCORES.replace(",", "\t"), {"format": "csv", "delimiter": "\t"}),
    "semicolons and decimal commas": (
        SCORES.replace(",", ";").replace("4.5", "4,5"),
        {"format": "csv", "delimiter": ";", "decimal": ","},
    ),
    "bars": (SCORES.replace(",", "|"), {"format": "csv", "delimiter": "|"}),
    "quoted decimal commas": (SCORES.replace("4.5", '"4,5"'), {"format": "csv", "decimal": ","}),
    "other columns": (
        SCORES.replace("arm,item,score", "モデル,問,点"),
        {
            "format": "csv",
            "item": "問",
            "score": "点",
            "metric": "score",
            "fields": {"arm": "モデル"},
        },
    ),
    "json lines": (lines(RECORDS), {"format": "jsonl"}),
    "json lines, text": (
        lines({**r, "score": str(r["score"])} for r in RECORDS),
        {"format": "jsonl"},
    ),
    "json lines, nested": (
        lines(NESTED),
        {"format": "jsonl", "metric": "score", **NESTED_KEYS},
    ),
    "json lines, packed": (gzip.compress(lines(RECORDS).encode()), {"format": "jsonl"}),
    "a json list": (json.dumps(RECORDS, indent=1), {"format": "jsonl"}),
    "a key with a dot": (
        lines({**r, "a.score": r["score"]} for r in RECORDS),
        {"format": "jsonl", "score": "a.score", "metric": "score"},
    ),
    "wide csv": ("item,base,tuned,note\na,1,3,\nb,2,4.5,x\n", {"format": "csv", "layout": "wide"}),
    "wide json lines": (lines(WIDE), {"format": "jsonl", "layout": "wide"}),
}


@pytest.mark.parametrize("case", FORMS)
def test_the_same_scores_are_read_from_any_form(case):
    content, keys = FORMS[case]
    put("scores", content)
    found = observe({"path": "scores", **keys})
    assert of_arms(found) == WANTED
    assert {metric for table, _ in found.values() for metric in table["metric"]} == {"score"}


PARQUET = {
    "long": (RECORDS, {}),
    "nested": (NESTED, {"metric": "score", **NESTED_KEYS}),
    "wide": (WIDE, {"layout": "wide"}),
    "whole numbers as names": ([{**r, "item": ord(r["item"])} for r in RECORDS], {}),
}


@pytest.mark.parametrize("case", PARQUET)
def test_the_same_scores_are_read_from_parquet(case):
    records, keys = PARQUET[case]
    parquet("scores.parquet", records)
    found = of_arms(observe({"path": "scores.parquet", "format": "parquet", **keys}))
    if case == "whole numbers as names":
        found = {arm: {chr(int(k)): v for k, v in held.items()} for arm, held in found.items()}
    assert found == WANTED


def test_a_fault_in_parquet_names_its_row(tmp_path):
    table = {"path": "scores.parquet", "format": "parquet"}
    for change, said in [
        ({"score": "good"}, r"row 3: score is 'good', not a finite number"),
        ({"item": None}, r"row 3: nothing says the block"),
        ({"arm": None}, r"row 3: nothing says the arm"),
    ]:
        records = [{k: str(v) for k, v in r.items()} for r in RECORDS]
        records[2] |= change
        parquet("scores.parquet", records)
        with pytest.raises(ValueError, match=rf"^scores\.parquet, {said}"):
            observe(table)
    parquet("scores.parquet", RECORDS)
    with pytest.raises(
        ValueError, match=r"^scores\.parquet: no column 'scor', did you mean 'score'"
    ):
        observe({**table, "score": "scor"})
    whole = (tmp_path / "scores.parquet").read_bytes()
    put("scores.parquet", whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"^scores\.parquet: not readable Parquet \("):
        observe(table)


ALIASES = {"base": "org/モデル 7B", "tuned": "org/モデル 7B (tuned)"}


def renamed(text):
    return text.replace("base", ALIASES["base"]).replace("tuned", ALIASES["tuned"])


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (renamed(SCORES), {"format": "csv"}),
        (lines(json.loads(renamed(json.dumps(RECORDS)))), {"format": "jsonl"}),
        (renamed("item,base,tuned\na,1,3\nb,2,4.5\n"), {"format": "csv", "layout": "wide"}),
    ],
)
def test_arms_go_by_their_aliases(content, keys):
    put("scores", content)
    assert of_arms(observe({"path": "scores", **keys}, aliases=ALIASES)) == WANTED


def test_aliases_name_both_arms_of_a_judgement():
    put("wins.csv", renamed(WINS))
    table = {"path": "wins.csv", "format": "pairwise", "arm": "tuned"}
    found = observe(table, arms=["tuned"], aliases=ALIASES)["tuned"][0]
    put("wins.csv", WINS)
    assert found.equals(observe(table, arms=["tuned"])["tuned"][0])


def test_an_arm_that_bears_the_name_of_another_is_refused():
    put("scores.csv", SCORES + "org/x,c,1\n")
    with pytest.raises(ValueError, match=r"^scores\.csv, line 2: 'base' stands in the table, and"):
        observe({"path": "scores.csv", "format": "csv"}, aliases={"base": "org/x"})


def test_a_csv_of_one_arm_gives_cluster_replicate_and_unit():
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


def test_fields_name_the_task_the_replicate_and_the_unit():
    records = [
        {"item": "a", "score": 1, "meta": {"seed": seed, "set": "jnli"}, "in": "points"}
        for seed in (0, 1)
    ]
    put("scores.jsonl", lines(records))
    fields = {"task": "meta.set", "replicate": "meta.seed", "unit": "in"}
    table = {"path": "scores.jsonl", "format": "jsonl", "arm": "base", "fields": fields}
    frame = observe(table, arms=["base"], levels=["task", "item"])["base"][0]
    assert frame[["block", "replicate", "unit"]].values.tolist() == [
        ["jnli/a", 0, "points"],
        ["jnli/a", 1, "points"],
    ]


def test_a_task_may_be_its_own_item():
    put("tasks.csv", "task,base,tuned\njnli,0.5,0.6\njsquad,0.7,0.8\n")
    found = observe({"path": "tasks.csv", "format": "csv", "layout": "wide"}, levels=["task"])
    assert of_arms(found)["tuned"] == {"jnli": 0.6, "jsquad": 0.8}


def test_an_arm_that_no_claim_reads_is_left_out():
    put("scores.csv", SCORES + "other,z,1\n")
    assert set(observe({"path": "scores.csv", "format": "csv"})) == {"base", "tuned"}


def test_two_wide_tables_may_hold_an_arm_each():
    put("base.csv", "item,base\na,1\nb,2\n")
    put("tuned.csv", "item,tuned\na,3\nb,4.5\n")
    tables = [{"path": f"{arm}.csv", "format": "csv", "layout": "wide"} for arm in WANTED]
    found = observe(*tables)
    assert of_arms(found) == WANTED
    assert [source["path"] for source in found["tuned"][1]["tables"]] == ["tuned.csv"]


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


def test_judgements_are_read_from_json_lines_and_parquet_too():
    put("wins.csv", WINS)
    table = {"path": "wins.csv", "format": "pairwise", "arm": "tuned"}
    wanted = observe(table, arms=["tuned"])["tuned"][0]
    records = pd.read_csv("wins.csv").to_dict("records")
    put("wins.jsonl", lines(records))
    parquet("wins.parquet", records)
    for format in ("jsonl", "parquet"):
        table = {"path": f"wins.{format}", "format": format, "layout": "pairwise", "arm": "tuned"}
        assert observe(table, arms=["tuned"])["tuned"][0].equals(wanted)


def test_prompts_whose_order_was_drawn_are_read_in_one_order():
    put("wins.csv", "prompt,order,winner\np1,tuned,tuned\np2,base,tie\np3,base,base\n")
    table = {"path": "wins.csv", "format": "pairwise", "arm": "tuned"}
    found = observe(table, arms=["tuned"], orders="random")["tuned"][0]
    assert values(found) == {"p1": 1, "p2": 0.5, "p3": 0}
    assert list(found["metric"]) == ["preference.first", *["preference.second"] * 2]
    with pytest.raises(ValueError, match=r"^wins\.csv, line 2: 'p1' is judged in one order only"):
        observe(table, arms=["tuned"])


def test_items_that_nothing_pairs_need_no_partner():
    put("scores.csv", "arm,item,score\nbase,a,1\nbase,b,2\ntuned,c,3\n")
    found = observe({"path": "scores.csv", "format": "csv"}, paired=False)
    assert of_arms(found) == {"base": {"a": 1, "b": 2}, "tuned": {"c": 3}}


def test_a_table_without_a_column_of_arms_is_of_one_arm():
    put("scores.csv", "item,score,other\na,1,3\nb,2,4\n")
    table = {"path": "scores.csv", "format": "csv", "metric": "score"}
    tables = [{**table, "arm": arm} for arm in ("base", "tuned")]
    with pytest.raises(ValueError, match=r"^scores\.csv, line 2: this result is counted for"):
        observe(*tables)
    found = observe(tables[0], {**tables[1], "score": "other"})
    assert of_arms(found) == {"base": {"a": 1, "b": 2}, "tuned": {"a": 3, "b": 4}}


@pytest.mark.parametrize("tie", ["tie", "Tie", "TIE"])
def test_a_tie_is_one_however_it_is_written(tie):
    put("wins.csv", f"prompt,order,winner\np1,tuned,{tie}\np1,base,{tie}\n")
    found = observe({"path": "wins.csv", "format": "pairwise", "arm": "tuned"}, arms=["tuned"])
    assert list(found["tuned"][0]["value"]) == [0.5, 0.5]
    put("arena.csv", f"prompt,first,second,winner\np1,a,b,{tie}\n")
    found = observe({"path": "arena.csv", "format": "comparisons", "arm": "x"}, arms=["x"])
    assert list(found["x"][0]["value"]) == [0.5]
