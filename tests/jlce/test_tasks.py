"""All tasks on our own items: well formed, and scored as they must be."""

from pathlib import Path

import pytest
from kensho.jlce import catalogue, items, metrics
from lm_eval.tasks import TaskManager

PACK = Path(metrics.__file__).parent / "tasks" / "jlce"
NAMES = sorted(path.stem for path in PACK.glob("*.yaml") if not path.stem[-1].isdigit())
# The items of translation are Tatoeba's.
HERE = [name for name in NAMES if not name.startswith("translation")]

WRITTEN = [name for name in HERE if "generate_until" in (PACK / f"{name}.yaml").read_text()]


@pytest.fixture(scope="module")
def tasks():
    manager = TaskManager(include_path=str(PACK), include_defaults=False)
    names = [f"jlce_{name}" for name in HERE]
    return manager.load_task_or_group(names)


def test_there_are_sixteen_and_ours_with_three_prompts_each():
    own = [name for name, task in catalogue.tasks().items() if task.own]
    assert len(NAMES) - len(own) == 16
    assert set(own) == {"translation_ja_en", "pos_long_units", "honorific", "zero_subject"}
    assert len(list(PACK.glob("*.yaml"))) == 3 * len(NAMES)


def test_the_tag_jlce_stands_for_the_sixteen_alone():
    for name, task in catalogue.tasks().items():
        assert ("tag: jlce\n" in (PACK / f"{name}.yaml").read_text()) == (not task.own)


@pytest.mark.parametrize("kind", sorted(k for k in items.KINDS if not k.startswith("translation")))
def test_our_items_are_well_formed_and_enough(kind):
    found = items.read(items.OURS / f"{kind}.jsonl", kind)
    splits = [item.split for item in found]
    assert splits.count("test") >= 50 and splits.count("train") >= 4
    if hasattr(found[0], "options"):
        labels = [item.options[1] for item in found if item.split == "test"]
        counts = [labels.count(label) for label in set(labels)]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("name", HERE)
def test_gold_answers_are_perfect(tasks, name):
    task = tasks[f"jlce_{name}"]
    for doc in task.test_docs():
        if task.OUTPUT_TYPE == "multiple_choice":
            results = [
                (0.0 if i == doc["gold"] else -1.0, False) for i in range(len(doc["choices"]))
            ]
        else:
            results = [task.doc_to_target(doc)]
        for metric, value in task.process_results(doc, results).items():
            if metric in ("balanced_acc", "mcc"):
                assert value == (doc["gold"], doc["gold"])
            else:
                assert value == (0 if metric == "thinking" else pytest.approx(1)), (metric, doc)


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize(
    "answer", ["", "あ" * 100_000, "<b>答え</b>\x00\x1b[31m", "<think>終わらない"]
)
def test_any_answer_is_survived(tasks, name, answer):
    task = tasks[f"jlce_{name}"]
    doc = task.test_docs()[0]
    found = task.process_results(doc, [answer])
    assert all(
        0 <= v <= 1 for m, v in found.items() if m not in ("thinking", "balanced_acc", "mcc")
    )
    if "think" in answer:
        assert found["parsed"] == 0 and found["thinking"] == len(answer)


def test_style_is_told_from_the_ending():
    for item in items.read(items.OURS / "style.jsonl", "style"):
        for reference in item.references:
            assert metrics.is_polite(reference) == (item.direction == "丁寧体"), reference


def test_a_written_answer_names_its_choice_last():
    doc = {"choices": ["不自然", "自然"], "gold": 0}
    assert metrics.labelled_answer(doc, ["助詞がないので不自然"])["acc"] == 1
    assert metrics.labelled_answer(doc, ["不自然に見えるが自然"])["acc"] == 0
    assert metrics.labelled_answer(doc, ["わからない"])["parsed"] == 0


def test_balanced_accuracy_counts_what_has_no_label_as_wrong():
    assert metrics.balanced_acc([(0, 0), (0, 0), (0, 0), (1, -1)]) == 0.5
    assert metrics.mcc([(0, 0), (1, 1)]) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ('{"id": "a"}', "required key is missing"),
        (
            '{"id":"a","split":"test","cluster":"c","text":"良い。","label":"良"}',
            "label: expected '肯定' or '否定'",
        ),
    ],
)
def test_faults_of_a_file_are_lines_that_name_it(tmp_path, line, said):
    path = tmp_path / "sentiment.jsonl"
    path.write_text((items.OURS / "sentiment.jsonl").read_text() + line + "\n")
    with pytest.raises(ValueError, match=r"sentiment.jsonl:\d+: ") as caught:
        items.read(path, "sentiment")
    assert said in str(caught.value)
