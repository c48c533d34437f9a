"""Items, what is written for them, their scores, and COMET's that are brought."""

import json
import os
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import sacrebleu
import torch
from kensho.evaluate.journal import digest
from kensho.evaluate.lm import Backend
from kensho.judging import comet, items
from kensho.judging.answers import written
from kensho.judging.items import translation
from kensho.judging.observed import marks, set_weights, translations
from kensho.judging.settings import Judging, Question
from kensho.models.loading import load
from kensho.plan import judging as plan

ROOT = Path(__file__).parents[2]
MIRROR = Path(os.environ.get("KENSHO_MIRROR") or ROOT.parent / "shared/data")


def test_a_turn_is_asked_behind_those_before_it_in_its_own_direction(tmp_path):
    turns = [("Hello.", "こんにちは。"), ("Who is it?", "どなたですか。"), ("Me.", "私です。")]
    scene = {"id": "s1", "conversation": [{"en_sentence": e, "ja_sentence": j} for e, j in turns]}
    (tmp_path / "bsd.json").write_text(json.dumps([scene]), encoding="utf-8")
    made = {item.block: item for item in items.dialogues(tmp_path / "bsd.json", 1)}
    last = made["dialogues-ja-en/s1-3"]
    assert (last.source, last.reference) == ("私です。", "Me.")
    assert last.before == [["どなたですか。", "Who is it?"]]
    before = "Japanese: どなたですか。\nEnglish: Who is it?\n\n"
    assert last.prompt == f"{before}Japanese: 私です。\nEnglish:"
    assert made["dialogues-en-ja/s1-1"].prompt == "English: Hello.\nJapanese:"


def test_sets_of_llm_jp_eval_keep_their_instruction_and_examples(tmp_path):
    held = {
        "instruction": "訳しなさい。",
        "few_shots": [{"input": "One.", "output": "一。"}],
        "samples": [{"input": "Two.", "output": "二。"}],
    }
    path = tmp_path / "alt-e-to-j.json"
    path.write_text(json.dumps(held), encoding="utf-8")
    (item,) = items.llm_jp_eval(path)
    assert (item.block, item.direction, item.reference) == ("alt-e-to-j/0", "en-ja", "二。")
    shot = "### 入力:\nOne.\n\n### 応答:\n一。\n\n"
    assert item.prompt == f"訳しなさい。\n\n{shot}### 入力:\nTwo.\n\n### 応答:\n"
    for wrong, why in (
        ({"samples": [{}]}, "instruction: required key is missing"),
        ([held], "expected a mapping"),
        ({**held, "instruction": None}, "instruction: expected text"),
        ({**held, "samples": []}, "samples: expected at least 1"),
        ({**held, "samples": [{"input": "Two.", "output": " "}]}, "samples.0.output: "),
    ):
        path.write_text(json.dumps(wrong), encoding="utf-8")
        with pytest.raises(ValueError, match=f"not a set as llm-jp-eval prepares it .{why}"):
            items.llm_jp_eval(path)


def test_items_are_drawn_from_each_set_alike_and_read_back(tmp_path):
    pairs = pd.DataFrame(
        {
            "id": range(9),
            "en": list("abcdefghi"),
            "ja": [f"{a}\u2028\x85" for a in "あいうえおかきくけ"],
        }
    )
    most = {"sentences-en-ja": 4, "sentences-ja-en": 4}
    drawn = items.drawn(items.sentences(pairs), most, 3)
    assert drawn == items.drawn(items.sentences(pairs), most, 3)
    one, other = drawn[:4], drawn[4:]
    assert [item.source for item in one] == [item.reference for item in other]
    items.write(tmp_path / "items.jsonl", drawn)
    assert items.read(tmp_path / "items.jsonl") == drawn


@pytest.mark.skipif(not MIRROR.is_dir(), reason="needs the data sets (KENSHO_MIRROR)")
def test_real_dialogues_and_questions_are_read():
    turns = [*items.dialogues(MIRROR / "bsd/test.json", 4)]
    assert {len(item.before) for item in turns} == {0, 1, 2, 3, 4}
    (path,) = (MIRROR / "elyza-tasks-100").rglob("*.json")
    asked = items.questions("elyza-tasks-100", path)
    assert len(asked) == 100 and all(item.source and item.rubric for item in asked)


PAIRS = [
    translation("sentences", 1, "en-ja", "It rains.", "雨が降る。", []),
    translation("sentences", 2, "en-ja", "It snows.", "雪が降る。", []),
    translation("sentences", 1, "ja-en", "It rains hard today.", "今日は大雨だ。", []),
    translation("dialogues", 1, "ja-en", "Yes, it is so.", "そうです。", [["a", "b"]]),
]


def test_translations_are_scored_as_sacrebleu_does_with_the_words_of_their_language():
    answers = {item.block: item.reference for item in PAIRS}
    answers["sentences-en-ja/2"] = "雪が降った。"
    answers["sentences-ja-en/1"] = "It rains hard, today."
    rows = {(row.block, row.metric): row.value
            for row in translations("before", PAIRS, answers, {})}  # fmt: skip
    one, back, turn = (
        f"{of}:1/{of}-{way}:1"
        for of, way in (("sentences", "en-ja"), ("sentences", "ja-en"), ("dialogues", "ja-en"))
    )
    assert rows[one, "bleu"] == pytest.approx(100)
    assert rows[turn, "chrf_in_context"] == pytest.approx(100)
    assert (turn, "chrf") not in rows
    english = sacrebleu.sentence_bleu("It rains hard, today.", ["It rains hard today."]).score
    assert rows[back, "bleu"] == pytest.approx(english)
    whole = sacrebleu.corpus_bleu(
        ["雨 が 降る 。", "雪 が 降っ た 。"], [["雨 が 降る 。", "雪 が 降る 。"]],
        tokenize="none", force=True,
    ).score  # fmt: skip
    assert rows["sentences-en-ja", "corpus_bleu"] == pytest.approx(whole)


def test_comet_is_of_the_answers_that_were_written(tmp_path):
    answers = pd.DataFrame({"block": ["alt-e-to-j/0", "alt-e-to-j/1", "rakuda/0"]})
    answers["answer_sha256"] = [digest(block) for block in answers["block"]]
    path = tmp_path / "comet.csv"

    def brought(rows):
        table = pd.DataFrame(rows, columns=["arm", "block", "answer_sha256", "score"])
        table.to_csv(path, index=False)
        return comet.read(path, {"base": answers})

    good = [("base", row.block, row.answer_sha256, 0.5) for row in answers.itertuples()][:2]
    assert brought(good) == {"base": {"alt-e-to-j/0": 0.5, "alt-e-to-j/1": 0.5}}
    for wrong, said in (
        (
            [*good[:1], ("base", "alt-e-to-j/1", "0" * 64, 0.5)],
            "line 3: base has written some",
        ),
        (good[:1], "base has no score of alt-e-to-j/1; add it"),
        ([*good, good[0]], "base, alt-e-to-j/0 stands twice; leave one"),
        ([*good[:1], (*good[1][:3], 77.0)], "line 3: 77.0 is no COMET score"),
        ([*good[:1], (*good[1][:3], "high")], "line 3: high is no COMET score"),
        ([("bsae", *row[1:]) for row in good], "line 2: no arm 'bsae' wrote, did you mean 'base'"),
    ):
        with pytest.raises(ValueError, match=said):
            brought(wrong)
    head, *lines = path.read_text("utf-8").splitlines()
    for text, said in (
        (f"{head}\n{lines[0]},1\n", "line 2: 5 cells of 4; mend it"),
        (f"{head},score\n{lines[0]},1\n", "2 columns score; give one"),
        ('arm,"block\n', "not readable .unexpected end of data"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=said):
            comet.read(path, {"base": answers})


def test_sets_and_scores_that_are_named_and_not_there_are_named_with_their_key(tmp_path):
    (tmp_path / "alt-e-to-j.json").write_text("{}", encoding="utf-8")
    (tmp_path / "wikicorpus-e-to-j.json").write_text("{}", encoding="utf-8")
    own = Judging(llm_jp_eval=str(tmp_path), comet="nowhere.csv")
    assert plan.prepared(own) == [
        str(tmp_path / f"{name}.json") for name in ("alt-e-to-j", "alt-j-to-e", "wikicorpus-e-to-j")
    ]
    assert [line.split(" (")[0] for line in plan.away(own)] == [
        f"judging.llm_jp_eval: no file {tmp_path}/alt-j-to-e.json; bring it",
        "judging.comet: no file nowhere.csv; bring it",
    ]
    assert plan.away(Judging()) == []


def test_comet_of_one_set_for_one_arm_alone_is_incomplete(tmp_path):
    answers = pd.DataFrame({"block": ["alt-e-to-j/0", "alt-j-to-e/0"], "answer_sha256": "0"})
    path = tmp_path / "comet.csv"
    rows = "a,alt-e-to-j/0,0,0.5\na,alt-j-to-e/0,0,0.5\nb,alt-e-to-j/0,0,0.5\n"
    path.write_text(f"arm,block,answer_sha256,score\n{rows}", encoding="utf-8")
    with pytest.raises(ValueError, match="b has no score of alt-j-to-e/0; add it"):
        comet.read(path, {"a": answers, "b": answers})


def test_comet_is_d1s_where_both_of_its_sets_are_scored():
    pairs = {name: ("a", "b") for name in items.OF_D1} | {"wikicorpus-e-to-j": ("a", "b")}
    own = [
        items.Item(
            id="0", set=name, direction=items.MT[name], source=one, reference=other, prompt=one
        )
        for name, (one, other) in pairs.items()
    ]  # fmt: skip
    answers = {item.block: "b" for item in own}

    def metrics(scored):
        scores = {f"{name}/0": 0.5 for name in scored}
        return {
            row.block.partition("/")[2].partition(":")[0]: row.metric
            for row in translations("after", own, answers, scores)
            if row.metric.startswith("comet")
        }

    assert metrics(pairs) == {
        **dict.fromkeys(items.OF_D1, "comet_mt"),
        "wikicorpus-e-to-j": "comet",
    }
    assert metrics(["alt-e-to-j"]) == {"alt-e-to-j": "comet"}


def test_no_weighted_mark_where_one_of_the_four_sets_is_not_marked():
    sets = get_args(Question)
    asked = [
        items.Item(id="0", set=name, direction=None, source="?", reference="", prompt="?")
        for name in sets
    ]
    rows = pd.DataFrame(
        [(f"{name}/0", arm, "7") for name in sets for arm in ("before", "after")],
        columns=["block", "first", "value"],
    ).assign(kind="mark")
    names = {"before": "before", "after": "after"}
    assert {row.metric for row in marks(asked, {"j": rows}, names)} == {"mark", "weighted_mark"}
    unmarked = rows["block"].str.startswith(sets[-1]) & (rows["first"] == "after")
    lacking = rows.assign(value=rows["value"].mask(unmarked, "nan"))
    made = [*marks(asked, {"j": lacking}, names)]
    assert {row.metric for row in made} == {"mark"}
    assert {row.block for row in made} == {f"{name}:0/{name}:0" for name in sets[:-1]}


def test_a_pair_in_both_directions_and_the_turns_of_a_scene_are_one_unit(tmp_path):
    both = [*items.sentences(pd.DataFrame({"id": ["7"], "en": ["A."], "ja": ["あ。"]}))]
    assert len({item.unit for item in both}) == 2 and len({item.cluster for item in both}) == 1
    turns = [{"en_sentence": text, "ja_sentence": text} for text in "ab"]
    (tmp_path / "bsd.json").write_text(json.dumps([{"id": s, "conversation": turns} for s in "xy"]))
    scenes = [*items.dialogues(tmp_path / "bsd.json", 1)]
    assert {item.cluster for item in scenes} == {"scene:x", "scene:y"} and len(scenes) == 8
    for name, sides in zip(items.OF_D1, (("A.", "あ。"), ("あ。", "A.")), strict=True):
        sample = dict(zip(("input", "output"), sides, strict=True))
        held = {"instruction": "訳せ", "samples": [sample]}
        (tmp_path / f"{name}.json").write_text(json.dumps(held), encoding="utf-8")
    clusters = {items.llm_jp_eval(tmp_path / f"{name}.json")[0].cluster for name in items.OF_D1}
    assert len(clusters) == 1


def test_every_set_counts_alike_in_weighted_marks():
    weights = set_weights(["a/1", "a/2", "a/3", "b/1"])
    marks = {"a/1": 1, "a/2": 2, "a/3": 3, "b/1": 8}
    assert sum(weights[b] * m for b, m in marks.items()) / 4 == (2 + 8) / 2


def test_a_model_writes_an_answer_to_every_item(tiny_model):
    question = items.Item(
        id="0", set="rakuda", direction=None, source="何？", reference="", prompt="何？"
    )
    model, tokenizer = load(tiny_model, torch.float32)
    lm = Backend(pretrained=model, tokenizer=tokenizer, batch_size=2)
    made = written(
        lm, [question, *PAIRS], chat=False, seed=1, limits=(4, 6), instructions={"en-ja": "x"}
    )
    assert {*made["block"]} == {item.block for item in (question, *PAIRS)}
    assert (made["answer_sha256"] == made["answer"].map(digest)).all()
    assert not made["answer"].str.contains("\n").any()


def test_llm_jp_evals_sets_are_asked_without_a_system_prompt(tiny_model):
    """D-1's figures are those of their own instruction alone; others turn them round."""
    model, tokenizer = load(tiny_model, torch.float32)
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    histories = []

    class Listening(Backend):
        def apply_chat_template(self, history, *args, **settings):
            histories.append(history)
            return super().apply_chat_template(history, *args, **settings)

    theirs = items.Item(
        id="0",
        set="alt-e-to-j",
        direction="en-ja",
        source="Two.",
        reference="二。",
        prompt="訳。Two.",
    )
    lm = Listening(pretrained=model, tokenizer=tokenizer, batch_size=2)
    instructions = {"en-ja": "Translate.", "ja-en": "Back."}
    written(lm, [theirs, *PAIRS], chat=True, seed=1, limits=(2, 2), instructions=instructions)
    told = {
        turns[-1]["content"]: [t["content"] for t in turns if t["role"] == "system"]
        for turns in histories
    }
    assert told[theirs.prompt] == []
    assert {item.prompt: told[item.prompt] for item in PAIRS} == {
        item.prompt: [instructions[item.direction]] for item in PAIRS
    }
