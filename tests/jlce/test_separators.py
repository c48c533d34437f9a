"""Marks that divide an answer and stand in the text too: a perfect answer is perfect."""

import json

import pytest
from kensho.jlce import metrics, readers
from lm_eval.tasks import TaskManager
from test_tasks import PACK

BUNSETSU = [
    ["1/2の", "水を", "飲む。"],
    ["5/13に", "放送される", "番組。"],
    ["東中本運動場まで", "徒歩5分一日600円/5台"],
    ["http://a.jp/bを", "見る。"],
    ["and/orの", "/が", "要る。"],
    ["９／１０の", "Ａ社。"],
    ["50㎡の", "①番の", "部屋。"],
]


@pytest.mark.parametrize("bunsetsu", BUNSETSU)
@pytest.mark.parametrize("mark", ["/", " / ", "／"])
def test_bunsetsu_of_a_text_with_the_mark_in_it(bunsetsu, mark):
    doc = {"text": "".join(bunsetsu), "bunsetsu": bunsetsu}
    found = metrics.chunks(doc, [mark.join(bunsetsu)])
    assert found == {"span_f1": 1, "parsed": 1, "thinking": 0}


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("1/2の水を/飲む。", 2 * 1 / 5),  # two pieces of which one is right
        ("1/2の/水を/のむ。", 2 * 2 / 6),  # a text copied with a fault
        ("1/2の/お水を/飲む。", 2 * 1 / 6),  # what follows it is at another place
        ("1/2の水を飲む。", 0),
        ("12の/水を/飲む。", 0),
        ("", 0),
    ],
)
def test_bunsetsu_that_are_not_all_right(answer, right):
    doc = {"text": "1/2の水を飲む。", "bunsetsu": BUNSETSU[0]}
    assert metrics.chunks(doc, [answer])["span_f1"] == pytest.approx(right)
    copied = metrics.chunks(doc, [answer])["parsed"]
    assert copied == (answer in ("1/2の水を/飲む。", "1/2の水を飲む。"))


SYNTAX = {
    "words": ["1/2", "/", "New York", "ＡＢ", "2", "。"],
    "upos": ["NUM", "SYM", "PROPN", "NOUN", "NUM", "PUNCT"],
    "heads": [3, 1, 0, 3, 4, 3],
    "deprels": ["nummod", "punct", "root", "obj", "nummod", "punct"],
}


@pytest.fixture(scope="module")
def tasks():
    manager = TaskManager(include_path=str(PACK), include_defaults=False)
    names = ["pos", "dependency", "bunsetsu", "commonsense", "commonsense_reasoning"]
    found = manager.load_task_or_group([f"jlce_{name}" for name in names])
    return {name: found[f"jlce_{name}"] for name in names}


@pytest.mark.parametrize("name", ["pos", "dependency"])
def test_words_that_hold_marks_and_spaces(tasks, name):
    doc = {"text": "".join(SYNTAX["words"]), **SYNTAX}
    found = tasks[name].process_results(doc, [tasks[name].doc_to_target(doc)])
    assert found.pop("thinking") == 0 and set(found.values()) == {1}


def test_what_stands_before_a_word_is_not_the_word():
    doc = {"text": "庭で", "words": ["庭", "で"], "upos": ["NOUN", "ADP"]}
    found = metrics.tags(doc, ["解析： 庭/NOUN で/ADP"])
    assert found["upos_f1"] == 1
    assert metrics.tags(doc, ["庭で"])["upos_f1"] == 0


@pytest.mark.parametrize(
    "answer", ["あ/" * 30_000, "あ " * 30_000, "/ " * 30_000, "1 2 3\n" * 10_000]
)
@pytest.mark.parametrize("metric", ["tags", "chunks", "arcs"])
def test_any_answer_is_read_in_time(metric, answer):
    doc = {"bunsetsu": BUNSETSU[0], **SYNTAX}
    found = getattr(metrics, metric)(doc, [answer])
    assert all(0 <= value < 1 for value in found.values())


@pytest.mark.parametrize(
    "line", ["1 1/2", "one 1/2 3 nummod", "1 1/2 3 nummod x", "1 ", "1" * 5000 + " a 3"]
)
def test_a_line_of_another_form_is_no_arc(line):
    doc = {"text": "".join(SYNTAX["words"]), **SYNTAX}
    assert metrics.arcs(doc, [line])["uas"] == 0


def test_choices_that_hold_the_prompts_comma_are_quoted(tasks):
    doc = {
        "question": "朝食は？",
        "choices": ["パン、牛乳", "米"],
        "gold": 0,
        "answer": 0,
        "reason": "",
    }
    for name in ("commonsense", "commonsense_reasoning"):
        assert "選択肢：「パン、牛乳」「米」\n" in tasks[name].doc_to_text(doc)
        assert "選択肢：a、b\n" in tasks[name].doc_to_text({**doc, "choices": ["a", "b"]})


def test_a_passage_may_hold_the_mark_behind_its_title(tmp_path):
    question = {"id": "q", "question": "何？", "answers": [{"text": "海"}]}
    passages = ["題 [SEP] 海の話 [SEP] つづき", "海の話"]
    paragraphs = [{"context": text, "qas": [{**question, "id": text}]} for text in passages]
    path = tmp_path / "jsquad.json"
    path.write_text(json.dumps({"data": [{"title": "題", "paragraphs": paragraphs}]}))
    found = [(item.title, item.passage) for item in readers.jsquad(path)]
    assert found == [("題", "海の話 [SEP] つづき"), ("題", "海の話")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ud-japanese-gsd", "# sent_id = a\n1\t猫\n\n"),
        ("jsquad", "[]"),
        ("mgsm-ja", "x" * 200_000 + "\t1\n"),
        ("jcommonsenseqa", '{"q_id": 1, "question": null}\n'),
        ("livedoor-news", "no archive"),
    ],
)
def test_a_file_of_another_form_is_one_line_that_names_it(tmp_path, name, text):
    path = tmp_path / "broken"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}: not {name} as it was published") as caught:
        readers.read(name, path)
    assert "\n" not in str(caught.value)
