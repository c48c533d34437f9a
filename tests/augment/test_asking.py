"""Models of random weights: what they write means nothing, but how they are asked shows."""

from pathlib import Path

import pandas as pd
import pytest
from kensho.augment import round_trip
from kensho.augment.asking import Answer, Asked, Examples, drawn, unfit
from kensho.files import write_json
from kensho.models import twins
from kensho.models.reference import Base

SHOWN = Examples("日本語", "英語", [("犬です。", "A dog."), ("猫だ。", "A cat.")])
TEXTS = ["彼は学生です。", "雨が降っている。", "猫が好きだ。", "彼は学生です。", "うん。"]
SEQ2SEQ = {"seed": 1, "changes": {"init_std": 0.5}}
TEMPLATE = "{% for m in messages %}<s>{{ m['role'] }}:{{ m['content'] }}</s>{% endfor %}"


def reference(folder: Path, chat: bool = False) -> Path:
    path = folder.with_suffix(".json")
    known = {"name": folder.name, "weights": "twin", "files": {}, "parameters": 1, "chat": chat}
    write_json(path, Base(path=str(folder), **known).model_dump())
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked")
    kinds = ("gemma3_text", "deepseek_v3")
    made = {kind: twins.make(kind, folder / kind, seed=2) for kind in kinds}
    chat = twins.make("llama", folder / "chat", seed=2, chat_template=TEMPLATE)
    return {
        **{kind: reference(path) for kind, path in made.items()},
        "chat": reference(chat, chat=True),
        "seq2seq": reference(twins.make("marian", folder / "seq2seq", **SEQ2SEQ)),
    }


KINDS = ["gemma3_text", "deepseek_v3", "chat", "seq2seq"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_depends_neither_on_row_order_nor_on_other_texts(paths, kind):
    asked = Asked(paths[kind], max_new_tokens=8, batch=2)
    answers = asked.answers(TEXTS, SHOWN)
    assert answers[0] == answers[3] and len({answer.text for answer in answers}) > 1
    assert asked.answers(TEXTS[::-1], SHOWN) == answers[::-1]
    assert [asked.answers([text], SHOWN)[0] for text in TEXTS] == answers
    together = Asked(paths[kind], max_new_tokens=8, batch=16)
    assert together.answers(TEXTS, SHOWN) == answers


def test_an_answer_ends_at_the_newline_behind_its_text_or_at_the_end_of_a_text(paths):
    asked = Asked(paths["gemma3_text"], max_new_tokens=8, batch=2)
    line, blank = (asked.tokenizer.encode(text) for text in ("a\n", " \n"))
    assert asked._ended(line) and not asked._ended(blank) and not asked._ended(line[:-1])
    assert asked._ended([*line[:-1], asked.tokenizer.eos_token_id])
    assert asked._line(line) == Answer("a", True)
    assert asked._line(line[:-1]) == Answer("a", False)


def test_examples_are_continued_by_a_base_and_turns_of_an_instruct_model(paths):
    plain = "日本語: 犬です。\n英語: A dog.\n\n日本語: 猫だ。\n英語: A cat.\n\n"
    assert SHOWN.plain("うん。") == f"{plain}日本語: うん。\n英語:"
    roles = [turn["role"] for turn in SHOWN.turns("うん。")]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert SHOWN.turns("うん。")[-1]["content"] == "日本語: うん。\n英語:"


@pytest.mark.parametrize(
    ("text", "whole", "language", "why"),
    [
        ("", True, "ja", "empty"),
        ("雨が降", False, "ja", "unfinished"),
        ("It rains.", True, "ja", "not Japanese"),
        ("今天下雨。", True, "ja", "not Japanese"),
        ("雨 が raining today", True, "ja", "not Japanese"),
        ("雨が" * 20, True, "ja", "too long"),
        ("雨が降っています。", True, "ja", ""),
        ("雨が降る。", True, "en", "not English"),
        ("It rains.", True, "en", ""),
        ("今天下雨。", True, "zh", ""),
        ("雨が降る。", True, "zh", "not Chinese"),
    ],
)
def test_what_is_no_sentence_says_why(text, whole, language, why):
    assert unfit(Answer(text, whole), "雨が降る。", language) == why


class Dictionary:
    """Translates what it knows, and writes nothing for the rest."""

    def __init__(self, known):
        self.known = known

    def answers(self, texts, examples):
        return [Answer(self.known.get(text, ""), True) for text in texts]


def test_a_trip_goes_leg_by_leg_and_every_sample_comes_back():
    samples = pd.DataFrame(
        {"id": ["1", "2", "3"], "ja": ["雨です。", "猫だ。", "犬だ。"], "en": ["r", "c", "d"]}
    )
    there = Dictionary({"雨です。": "It rains.", "猫だ。": "猫だ。", "犬だ。": "A dog."})
    back = Dictionary({"It rains.": "雨が降る。"})
    made = round_trip.variants(samples, "round_trip", ["en"], [there, back], [SHOWN, SHOWN])
    assert made["ja"].tolist() == ["雨が降る。", "", ""]
    assert made["unfit"].tolist() == ["", "ja-en: not English", "empty"]
    assert made["operation"].tolist()[0] == '{"en":"It rains."}'
    assert round_trip.legs(["en", "zh"]) == [("ja", "en"), ("en", "zh"), ("zh", "ja")]


def test_samples_are_drawn_by_their_ids_alone():
    samples = pd.DataFrame({"id": list("abcdefgh"), "ja": list("abcdefgh")})
    taken = drawn(samples, "t", seed=1, most=3)
    assert len(taken) == 3
    assert set(drawn(samples[::-1], "t", seed=1, most=3)["id"]) == set(taken["id"])
    others = drawn(samples[samples["id"].isin(taken["id"])], "t", seed=1, most=3)
    assert others["id"].tolist() == taken["id"].tolist()
