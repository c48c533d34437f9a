"""Logs of Inspect, HELM's per-instance statistics and alpaca_eval's annotations."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from brought import observe, of_arms, put, values

QUIZ = Path(__file__).with_name("quiz.eval")  # as inspect_ai 0.3.285 wrote it, packed with zstd
INSPECT = {"format": "inspect", "arm": "base", "metric": "match"}


def quiz_log(**more):
    """A log like quiz.eval, of two epochs, in the form of a .json log."""
    samples = [
        {
            "id": f"q{n}",
            "epoch": epoch,
            "input": f"What is {n}?",
            "target": str(n),
            "metadata": {"topic": "odd" if n % 2 else "even"},
            "scores": {"match": {"value": letter}, "judge": {"value": {"style": n, "tone": 0.5}}},
        }
        for epoch, letters in ((1, "CIP"), (2, "CNI"))
        for n, letter in enumerate(letters)
    ]
    return {"version": 2, "status": "success", "eval": {"task": "quiz"}, "samples": samples, **more}


def test_a_log_that_inspect_itself_wrote_is_read():
    shutil.copy(QUIZ, "quiz.eval")
    found = observe({"path": "quiz.eval", **INSPECT}, arms=["base"], levels=["task", "item"])
    assert of_arms(found) == {"base": {"quiz/q0": 1, "quiz/q1": 1, "quiz/q2": 0}}
    clustered = {"path": "quiz.eval", **INSPECT, "cluster": "topic"}
    found = observe(clustered, arms=["base"], levels=["topic", "item"])
    assert list(values(found["base"][0])) == ["even/q0", "odd/q1", "even/q2"]


def zipped(log, path="quiz.eval"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for n, sample in enumerate(log["samples"]):
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}"
            if n % 2:  # a large sample is kept in parts
                archive.writestr(f"{name}/metadata.json", json.dumps(sample["metadata"]))
                sample = {key: value for key, value in sample.items() if key != "metadata"}
            archive.writestr(f"{name}/sample.json" if n % 2 else f"{name}.json", json.dumps(sample))
        archive.writestr("summaries.json", "[]")
        archive.writestr(
            "header.json", json.dumps({k: v for k, v in log.items() if k != "samples"})
        )


def test_epochs_are_replicates_and_letters_have_inspects_values():
    put("quiz.json", json.dumps(quiz_log()))
    zipped(quiz_log())
    first = {"even/q0": 1, "odd/q1": 0, "even/q2": 0.5}
    second = {**first, "even/q2": 0}
    for path in ("quiz.json", "quiz.eval"):
        table = {"path": path, **INSPECT, "cluster": "topic"}
        frame = observe(table, arms=["base"], levels=["topic", "item"])["base"][0]
        assert values(frame[frame["replicate"] == 0]) == first
        assert values(frame[frame["replicate"] == 1]) == second
    one = {"path": "quiz.json", **INSPECT, "metric": "judge.style"}
    assert values(observe(one, arms=["base"])["base"][0]) == {"q0": 0, "q1": 1, "q2": 2}


def without_scores(log):
    log["samples"][1]["scores"] = None
    return log


INSPECT_FAULTS = {
    "unfinished": (quiz_log(status="error"), {}, "the run's status is 'error', not success"),
    "invalidated": (quiz_log(invalidated=True), {}, "the run's status is 'invalidated'"),
    "no samples": (quiz_log(samples=None), {}, "holds no samples"),
    "no such scorer": (quiz_log(), {"metric": "mach"}, "sample 1: no metric 'mach', did you mean"),
    "several scorers": (quiz_log(), {"metric": None}, "sample 1: holds the metrics judge.style,"),
    "a sample that ended in an error": (without_scores(quiz_log()), {}, "sample 2: no match"),
    "no such topic": (quiz_log(), {"cluster": "topc"}, "sample 1: no topc, did you mean 'topic'"),
}


@pytest.mark.parametrize("case", INSPECT_FAULTS)
def test_a_faulty_log_of_inspect_is_refused(case):
    log, more, said = INSPECT_FAULTS[case]
    put("quiz.json", json.dumps(log))
    levels = ["topic", "item"] if "cluster" in more else ["item"]
    with pytest.raises(ValueError) as error:
        observe({"path": "quiz.json", **INSPECT, **more}, arms=["base"], levels=levels)
    assert str(error.value).startswith("quiz.json") and said in str(error.value)


def test_damaged_archives_of_inspect_are_refused():
    for keep, said in (("header", "was not finished"), ("half", "damaged zip archive")):
        zipped(quiz_log())
        if keep == "half":
            put("quiz.eval", Path("quiz.eval").read_bytes()[:900])
        else:
            with zipfile.ZipFile("quiz.eval", "w") as archive:
                archive.writestr("_journal/start.json", "{}")
        with pytest.raises(ValueError, match=f"^quiz.eval: .*{said}"):
            observe({"path": "quiz.eval", **INSPECT}, arms=["base"])
    packed = bytearray(QUIZ.read_bytes())
    begins = zipfile.ZipFile(QUIZ).getinfo("samples/q0_epoch_1.json").header_offset
    packed[begins + 200 : begins + 240] = bytes(40)
    put("quiz.eval", bytes(packed))
    with pytest.raises(ValueError, match=r"^quiz\.eval: samples/q0_epoch_1.json is damaged"):
        observe({"path": "quiz.eval", **INSPECT}, arms=["base"])


def test_two_logs_of_inspect_are_held_against_each_other():
    other = quiz_log()
    tables = [{"path": f"{arm}.json", **INSPECT, "arm": arm} for arm in ("base", "tuned")]
    put("base.json", json.dumps(quiz_log()))
    for sample in other["samples"]:  # messages bear names of their own in every run
        sample["input"] = [{"role": "user", "content": "Who?", "id": "x"}]
    put("base.json", json.dumps(other))
    for sample in other["samples"]:
        sample["input"][0]["id"] = "y"
    put("tuned.json", json.dumps(other))
    assert observe(*tables)["base"][1]["deviations"] == []
    other["samples"][4]["input"][0]["content"] = "Where?"
    put("tuned.json", json.dumps(other))
    with pytest.raises(ValueError, match=r"^tuned\.json, sample 5: item 'q1' .*input or target"):
        observe(*tables)


def test_constant_inputs_of_inspect_tell_no_sample_from_another():
    tables = [{"path": f"{arm}.json", **INSPECT, "arm": arm} for arm in ("base", "tuned")]
    for table in tables:
        other = quiz_log(run=table["arm"])
        for sample in other["samples"]:
            sample |= {"input": "[removed]", "choices": None, "target": "A"}
        put(table["path"], json.dumps(other))
    found = observe(*tables)
    assert all(conditions["names_alone"] for _, conditions in found.values())
    other["eval"]["task"] = "another"
    put("tuned.json", json.dumps(other))
    with pytest.raises(ValueError, match=r"^tuned\.json, sample 1: .*the task differs"):
        observe(*tables)


def helm(trials=1, **more):
    """Statistics of two instances as HELM writes them: one entry for each metric class."""
    stats = [
        [{"name": {"name": "exact_match", "split": "test"}, "count": 1, "mean": float(n)}]
        for n in (0, 1)
    ]
    entries = [
        {"instance_id": f"id{n}", "train_trial_index": trial, "stats": stats[n]}
        for trial in range(trials)
        for n in (0, 1)
    ]
    perturbed = {**entries[0], "perturbation": {"name": "typos"}}
    tokens = {"name": {"name": "num_tokens", "split": "test"}, "count": 1, "mean": 7.0}
    return [*entries, perturbed, {**entries[0], "stats": [tokens]}, *more.get("add", [])]


HELM = {"path": "stats.json", "format": "helm", "arm": "base", "metric": "exact_match"}


def test_instances_of_helm_are_items_and_trials_replicates():
    put("stats.json", json.dumps(helm(trials=2), indent=2))
    frame = observe(HELM, arms=["base"])["base"][0]
    found = {(row.block, row.replicate): row.value for row in frame.itertuples()}
    assert found == {("id0", 0): 0, ("id1", 0): 1, ("id0", 1): 0, ("id1", 1): 1}
    found = observe({**HELM, "task": "mmlu"}, arms=["base"], levels=["task", "item"])
    assert list(found["base"][0]["block"])[:2] == ["mmlu/id0", "mmlu/id1"]


def test_a_split_of_helm_is_chosen():
    valid = {"name": {"name": "exact_match", "split": "valid"}, "count": 1, "mean": 1.0}
    put("stats.json", json.dumps(helm(add=[{"instance_id": "id9", "stats": [valid]}])))
    assert values(observe({**HELM, "filter": "valid"}, arms=["base"])["base"][0]) == {"id9": 1}
    for filter, said in ((None, "holds the filters test, valid; choose"), ("tst", "'test'")):
        with pytest.raises(ValueError, match=rf"^stats\.json.*{said}"):
            observe({**HELM, "filter": filter}, arms=["base"])
    with pytest.raises(ValueError, match=r"no metric 'exact_mach', did you mean 'exact_match'"):
        observe({**HELM, "metric": "exact_mach"}, arms=["base"])


def test_two_runs_of_helm_cannot_be_checked():
    for arm in ("base", "tuned"):
        put(f"{arm}.json", json.dumps(helm()))
    found = observe(*({**HELM, "path": f"{arm}.json", "arm": arm} for arm in ("base", "tuned")))
    for arm in found:
        (said,) = found[arm][1]["deviations"]
        assert said.startswith(f"2 of 2 items: nothing in the tables of '{arm}'")


LONG = "Write a story about a cat and a dog who travel around the world together."
ALPACA = {"path": "annotations.json", "format": "alpaca-eval", "arm": "tuned"}


def annotations(*preferences, instructions=("Hi", LONG, "a/b", "x\ny"), **more):
    return [
        {
            "instruction": instruction,
            "output_1": "A",
            "generator_1": "gpt4_1106_preview",
            "dataset": "koala",
            "output_2": "B",
            "generator_2": "org/tuned",
            "annotator": "weighted_alpaca_eval_gpt4_turbo",
            "preference": preference,
            **more,
        }
        for instruction, preference in zip(instructions, preferences, strict=False)
    ]


def alpaca(entries, arm="tuned", **more):
    put("annotations.json", json.dumps(entries, indent=2))
    aliases = {"tuned": "org/tuned", "base": "gpt4_1106_preview"}
    return observe({**ALPACA, "arm": arm}, arms=[arm], aliases=aliases, **more)[arm][0]


def test_annotations_give_the_preference_for_the_named_arm():
    frame = alpaca(annotations(2, 1.25, 1.5, 0))
    assert list(frame["value"]) == [1, 0.25, 0.5, 0.5]
    assert set(frame["metric"]) == {"preference"} and set(frame["unit"]) == {"share"}
    hi, story, slash, line = frame["block"]
    assert (hi, slash) == ("Hi", "a%2Fb") and line.startswith("x y… ")
    assert story.startswith("Write a story about a cat and a dog who… ")
    other = alpaca(annotations(2, 1.25, 1.5, 0), arm="base")
    assert list(other["value"]) == [0, 0.75, 0.5, 0.5]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (annotations(3), "entry 1: preference 3 is not between 1 and 2"),
        (annotations(2, 0.5), "entry 2: preference 0.5 is not between 1 and 2"),
        (annotations(2, None), "entry 2: no preference of 'Write a story"),
        (annotations(2, float("nan")), "entry 2: preference is 'nan', not a finite number"),
        (annotations(2, 1, instructions=("Hi", "Hi")), "entry 2: item 'Hi' of 'tuned' stands"),
        (annotations(2, generator_2="other"), "entry 1: compares base with other, not 'tuned'"),
        ([{"preference": 1, "instruction": "Hi"}], "entry 1: no generator_1"),
    ],
)
def test_faulty_annotations_are_refused(entries, said):
    with pytest.raises(ValueError) as error:
        alpaca(entries)
    assert str(error.value).startswith("annotations.json") and said in str(error.value)
