"""Logs and results of lm-evaluation-harness, and whether two logs hold the same documents."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from brought import BASE, TUNED, both_logs, lines, log, logs, observe, of_arms, put, sample, values
from kensho import observations
from kensho.files import sha256


def test_logs_of_the_harness_become_observations_that_can_be_written_and_read(tmp_path):
    both_logs(tuned=[True, True, 1, 0.0])
    found = observe(*logs())
    assert values(found["base"][0]) == {"0": 1, "1": 0, "2": 1, "3": 0}
    assert values(found["tuned"][0]) == {"0": 1, "1": 1, "2": 1, "3": 0}
    conditions = found["tuned"][1]
    assert conditions["tier"] == "published" and conditions["deviations"] == []
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
        (["task", "item"], {"task": "nli"}, ["nli/0", "nli/1"]),
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


@pytest.mark.parametrize("form", ["one JSON list", "packed", "marked"])
def test_a_log_may_be_a_list_packed_or_marked(form):
    """Versions 0.4.0 to 0.4.2 wrote one list under the name of JSON lines, and no hashes."""
    text = log([1.0, 0.0])
    wanted = {"base": {"0": 1, "1": 0}}
    old = [sample(n, score, metrics=None, filter=None) for n, score in enumerate([1.0, 0.0])]
    content = {
        "one JSON list": json.dumps(old, indent=2),
        "packed": gzip.compress(text.encode()),
        "marked": b"\xef\xbb\xbf" + text.encode(),
    }[form]
    put(BASE, content)
    assert of_arms(observe(logs()[0], arms=["base"])) == wanted


HASH = "d60acb1b5b7cb2b6ddd8ff1b7ac5a2c35ed1a34cd8ab0bb5d3ed5c4b8c2ea6a1"  # of nothing here


def harness_hash(number):
    """The hash that lm-evaluation-harness 0.4.13 gives the document of `sample`."""
    from lm_eval.utils import handle_non_serializable, hash_string

    doc = sample(number, 0.0)["doc"]
    return hash_string(
        json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
    )


def turned(number):
    """The document of `sample` with its keys in another order."""
    return dict(reversed(sample(number, 0.0)["doc"].items()))


def stripped(number, **more):
    """A sample that says nothing of its document but what is given."""
    return sample(number, 1.0, **{"doc": {}, "target": None, "arguments": None, **more})


TOLD = {  # two logs of item 1 that hold the same document
    "the document": (sample(1, 1.0), sample(1, 0.0)),
    "keys in another order": (sample(1, 1.0), sample(1, 0.0, doc=turned(1))),
    "hashes of both orders": (
        sample(1, 1.0, doc_hash=harness_hash(1)),
        sample(1, 0.0, doc=turned(1)),
    ),
    "hashes alone": (stripped(1, doc_hash=HASH), stripped(1, doc_hash=HASH)),
    "hash here, document there": (
        stripped(1, doc_hash=harness_hash(1)),
        stripped(1, doc=sample(1, 1.0)["doc"]),
    ),
    "an answer that the task wrote into the document": (
        sample(1, 1.0, doc={"question": "何？", "answer": "a"}, doc_hash=HASH),
        sample(1, 1.0, doc={"question": "何？", "answer": "b"}, doc_hash=HASH),
    ),
    "the prompt, in old and new form": (
        stripped(1, arguments={"gen_args_0": {"arg_0": "Q: 何？", "arg_1": {"until": ["a"]}}}),
        stripped(1, arguments=[["Q: 何？", {"until": []}]]),
    ),
    "a running number and the prompt": (sample(1, 1.0, doc={"n": 1}), sample(1, 0.0, doc={"n": 1})),
    "another prompt of the same document": (
        sample(1, 1.0),
        sample(1, 0.0, arguments=[["<|user|>Q: 何1？", " 1"]]),
    ),
}


def two_logs(base, tuned):
    put(BASE, json.dumps(sample(0, 1.0)) + "\n" + json.dumps(base) + "\n")
    put(TUNED, json.dumps(sample(0, 1.0)) + "\n" + json.dumps(tuned) + "\n")
    return observe(*logs())


@pytest.mark.parametrize("case", TOLD)
def test_logs_of_the_same_documents_are_paired_without_a_word(case):
    found = two_logs(*TOLD[case])
    assert [len(table) for table, _ in found.values()] == [2, 2]
    assert [conditions["deviations"] for _, conditions in found.values()] == [[], []]


OTHER = {  # two logs whose item 1 is not the same, and what differs
    "another document": (
        sample(1, 1.0),
        sample(1, 0.0, doc={"question": "誰？"}),
        "doc_hash or doc",
    ),
    "another document of the same prompt": (
        sample(1, 1.0),
        sample(1, 0.0, doc={**sample(1, 0.0)["doc"], "passage": "p9"}),
        "doc_hash or doc",
    ),
    "hashes": (stripped(1, doc_hash=HASH), stripped(1, doc_hash=HASH[::-1]), "doc_hash or doc"),
    "hashes of documents that were cut": (
        sample(1, 1.0, doc={"id": "q1"}, doc_hash=HASH),
        sample(1, 1.0, doc={"id": "q1"}, doc_hash=HASH[::-1]),
        "doc_hash or doc",
    ),
    "hash here, document there": (
        stripped(1, doc_hash=HASH),
        stripped(1, doc=sample(1, 1.0)["doc"]),
        "doc_hash or doc",
    ),
    "another right answer": (sample(1, 1.0), sample(1, 1.0, target="2"), "target"),
    "a document that is a number": (
        sample(1, 1.0, doc={"n": 1}),
        sample(1, 0.0, doc={"n": 2}),
        "doc_hash or doc",
    ),
    "another prompt and no document": (
        stripped(1, arguments=[["Q: 何？"]]),
        stripped(1, arguments=[["Q: 誰？"]]),
        "the prompt",
    ),
}


@pytest.mark.parametrize("case", OTHER)
def test_logs_of_other_documents_are_refused_by_line(case):
    base, tuned, what = OTHER[case]
    said = f"^{TUNED}, line 2: item '1' is another document than in {BASE}, line 2 \\({what}"
    with pytest.raises(ValueError, match=said):
        two_logs(base, tuned)


UNTOLD = {  # two logs that do not show it, and the arms that cannot
    "empty documents": (stripped(1), stripped(1), {"base", "tuned"}),
    "no key at all": (stripped(1, doc=None), stripped(1, doc=None), {"base", "tuned"}),
    "hash here, nothing there": (stripped(1, doc_hash=HASH), stripped(1), {"tuned"}),
    "hash here, prompt there": (
        stripped(1, doc_hash=HASH),
        stripped(1, arguments=[["Q: 何1？"]]),
        {"tuned"},
    ),
    "a running number in another prompt": (
        stripped(1, doc={"n": 1}, arguments=[["a: Q"]]),
        stripped(1, doc={"n": 1}, arguments=[["b: Q"]]),
        {"base", "tuned"},
    ),
    "hashes of empty documents": (
        stripped(1, doc_hash="44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        stripped(1, doc_hash="44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        {"base", "tuned"},
    ),
}


@pytest.mark.parametrize("case", UNTOLD)
def test_a_pairing_that_cannot_be_checked_is_a_deviation(case):
    base, tuned, arms = UNTOLD[case]
    found = two_logs(base, tuned)
    for arm, (_, conditions) in found.items():
        (said,) = conditions["deviations"] if arm in arms else [""]
        assert said == "" or said.startswith(f"1 of 2 items: nothing in the tables of '{arm}'")
        assert bool(conditions["deviations"]) == (arm in arms)


def redacted(number):
    return {"question": "REDACTED", "idx": number}


ALIKE = {  # what every sample of two logs says of its document
    "a running number": lambda n: {"doc": {"id": n, "split": "validation"}},
    "a running name": lambda n: {"doc": {"id": f"validation-{n}"}},
    "a text taken out": lambda n: {"doc": redacted(n)},
    "a label": lambda n: {"doc": {"label": ("entailment", "neutral")[n % 2]}},
    "a constant hash": lambda n: {"doc_hash": "abc"},
    "a constant prompt": lambda n: {"arguments": [["Q: [removed]", " 1"]]},
    "a text taken out and a constant prompt": lambda n: {
        "doc": redacted(n), "arguments": [["Q: [removed]"]],
    },
}  # fmt: skip


def six(says, **more):
    return lines([stripped(n, acc=float(n % 2), **says(n), **more) for n in range(6)])


@pytest.mark.parametrize("case", ALIKE)
def test_what_is_alike_in_all_items_tells_none_of_them(case):
    put(BASE, six(ALIKE[case]))
    put(TUNED, six(ALIKE[case], run=2))
    for arm, (_, conditions) in observe(*logs()).items():
        (said,) = conditions["deviations"]
        assert said.startswith(f"6 of 6 items: nothing in the tables of '{arm}'")
        assert conditions["names_alone"]


TASKS = {
    "in the names of files": ("tuned/samples_jcola_2026-05-01T10-00-00.000001.jsonl", {}),
    "in the lines": (TUNED, {"task": "jcola"}),
    "in the lines, beside constants": (TUNED, {"task": "jcola", "doc": {"question": "REDACTED"}}),
}


@pytest.mark.parametrize("case", TASKS)
def test_logs_of_two_tasks_are_not_paired_by_the_names_of_their_items(case):
    path, more = TASKS[case]
    put(BASE, six(lambda n: {}))
    put(path, six(lambda n: {}, **more))
    tuned = {**logs()[1], "path": path}
    with pytest.raises(ValueError, match=f"^{path}, line 1: item '0' .*the task differs, and no"):
        observe(logs()[0], tuned)
    named = [{**table, "task": "quiz"} for table in (logs()[0], tuned)]  # the user says so
    assert all(conditions["names_alone"] for _, conditions in observe(*named).values())


def test_two_prompts_of_the_same_documents_are_paired_whatever_their_tasks():
    put(BASE, log([1.0, 0.0], task="jnli-0.3"))
    put(TUNED, log([0.0, 0.0], task="jnli-0.5", arguments=None))
    assert not any(conditions["names_alone"] for _, conditions in observe(*logs()).values())


@pytest.mark.parametrize("other", [BASE, f"./{BASE}", "linked.jsonl"])
def test_one_log_is_not_two_arms(other):
    put(BASE, log([1.0, 0.0]))
    Path("linked.jsonl").symlink_to(BASE)
    with pytest.raises(ValueError, match="line 1: this result is counted for 'base' and for anoth"):
        observe(logs()[0], {**logs()[1], "path": other})


def test_two_metrics_and_two_filters_of_one_log_are_two_arms():
    put(BASE, log([1.0, 0.0]))
    found = observe(logs()[0], {**logs(metric="acc_norm")[1], "path": BASE})
    assert of_arms(found) == {"base": {"0": 1, "1": 0}, "tuned": {"0": 0, "1": 0}}
    put(BASE, log([1.0, 0.0], filter="strict") + log([1.0, 1.0], filter="flexible"))
    base, tuned = logs()
    found = observe({**base, "filter": "strict"}, {**tuned, "path": BASE, "filter": "flexible"})
    assert of_arms(found) == {"base": {"0": 1, "1": 0}, "tuned": {"0": 1, "1": 1}}


def test_a_log_beside_a_table_of_the_same_names_is_a_deviation():
    put(BASE, log([1.0, 0.0]))
    put("tuned.csv", "item,acc\n0,1\n1,1\n")
    tables = [logs()[0], {"path": "tuned.csv", "format": "csv", "arm": "tuned", "score": "acc"}]
    found = observe(*tables)
    assert found["base"][1]["deviations"] == []
    assert found["tuned"][1]["deviations"][0].startswith("2 of 2 items: ")


def test_one_arm_has_no_pairing_to_check():
    put(BASE, json.dumps(stripped(0)) + "\n")
    assert observe(logs()[0], arms=["base"])["base"][1]["deviations"] == []


OLD = {
    "results": {
        "jnli": {"acc": 0.5, "acc_stderr": 0.01, "acc_norm": 0.4, "acc_norm_stderr": 0.01},
        "jsquad": {"exact_match": 0.7, "acc": 0.75, "acc_stderr": 0.02},
    },
    "versions": {"jnli": 1, "jsquad": 1.1},
    "config": {"model": "hf-causal"},
}
NEW = {
    "results": {
        "nli": {"acc,none": 0.9, "acc_stderr,none": "N/A", "alias": "nli", "sample_len": 9},
        "jnli": {"alias": " - jnli", "acc,none": 0.5, "acc_stderr,none": 0.1, "sample_len": 5},
        "jsquad": {"alias": "jsquad", "acc,strict": 0.75, "acc,flexible": 0.8, "sample_len": 4},
    },
    "groups": {"nli": {"acc,none": 0.9}},
    "group_subtasks": {"nli": ["jnli"], "jsquad": []},
    "versions": {"jnli": 1.0, "jsquad": 1.1},
}


def results(content, **more):
    put("results.json", json.dumps(content, indent=2))
    return {
        **{"path": "results.json", "format": "lm-eval-results", "arm": "base", "metric": "acc"},
        **more,
    }


def test_means_of_tasks_are_units_in_the_old_form_and_the_new():
    found = observe(results(OLD), arms=["base"], levels=["task"])
    assert of_arms(found) == {"base": {"jnli": 0.5, "jsquad": 0.75}}
    only = {**NEW, "results": {**NEW["results"], "jsquad": {"acc,none": 0.75}}}
    found = observe(results(only), arms=["base"], levels=["task"])
    assert of_arms(found) == {"base": {"jnli": 0.5, "jsquad": 0.75}}  # the group is no task


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (NEW, {}, "task 2: holds the filters flexible, strict; choose one with `filter:`"),
        (NEW, {"filter": "none"}, "task 2: no filter 'none', known: "),
        (OLD, {"metric": "accc"}, "task 1: no metric 'accc', did you mean 'acc'? known: acc"),
        (OLD, {"metric": None}, "task 1: holds the metrics acc, acc_norm; choose one"),
        ({"results": {}}, {}, "holds no result"),
        ({"results": {"jnli": 0.5}}, {}, "holds no results of tasks"),
        ([1], {}, "holds no results of tasks"),
    ],
)
def test_results_that_cannot_be_read_are_refused(content, more, said):
    with pytest.raises(ValueError) as error:
        observe(results(content, **more), arms=["base"], levels=["task"])
    assert str(error.value).startswith("results.json") and said in str(error.value)


def test_means_of_two_versions_of_a_task_are_refused():
    put("other.json", json.dumps({**OLD, "versions": {"jnli": 2, "jsquad": 1.1}}))
    tables = [results(OLD), {**results(OLD), "path": "other.json", "arm": "tuned"}]
    with pytest.raises(ValueError, match=r"^other\.json, task 1: item 'jnli' .*version differs"):
        observe(*tables, levels=["task"])


def test_means_of_two_numbers_of_examples_are_refused():
    shots = [{**OLD, "n-shot": {"jnli": n, "jsquad": 4}} for n in (0, 5)]
    put("other.json", json.dumps(shots[1]))
    tables = [results(shots[0]), {**results(shots[0]), "path": "other.json", "arm": "tuned"}]
    with pytest.raises(ValueError, match=r"^other\.json, task 1: item 'jnli' .*n-shot differs"):
        observe(*tables, levels=["task"])
    put("other.json", json.dumps(OLD))  # which does not say it
    assert observe(*tables, levels=["task"])["base"][1]["deviations"] == []


def test_means_without_versions_are_paired_by_the_names_of_tasks_alone():
    put("other.json", json.dumps({**OLD, "versions": {}}))
    tables = [results(OLD), {**results(OLD), "path": "other.json", "arm": "tuned"}]
    found = observe(*tables, levels=["task"])
    assert found["base"][1]["deviations"] == []
    assert found["tuned"][1]["deviations"][0].startswith("2 of 2 items: nothing in the tables")


AVERAGES = [
    "all",
    "_all_",
    "Average",
    "_average_",
    "leaderboard|mmlu:_average|5",
    "macro_avg",
    "平均",
]


@pytest.mark.parametrize("name", AVERAGES)
def test_the_average_of_the_tasks_is_no_task(name):
    tasks = {
        "harness|arc:t0|25": {"acc": 0.5},
        "overall_reasoning": {"acc": 0.7},
        "allsides": {"acc": 0.1},
    }
    found = observe(
        results({"results": {name: {"acc": 0.6}, **tasks}}), arms=["base"], levels=["task"]
    )
    assert of_arms(found) == {"base": {task: means["acc"] for task, means in tasks.items()}}
    put("table.csv", f"arm,task,acc\nbase,t1,0.5\nbase,{name},0.5\n")
    table = {"path": "table.csv", "format": "csv", "score": "acc"}
    with pytest.raises(ValueError, match=r"line 3: the task '.*' is by its name the mean"):
        observe(table, arms=["base"], levels=["task"])
