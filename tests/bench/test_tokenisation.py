from itertools import product
from pathlib import Path

import pytest
from conditions_example import tier
from kensho.bench import tokenisation
from kensho.bench.run import Run
from kensho.bench.segmentation.programs import PROGRAMS
from kensho.bench.settings import Tokenisation
from kensho.files import read_json, write_json

SENTENCES = [
    "".join(words)
    for words in product(
        ["私は", "彼女も", "先生が", "トムは"],
        ["本を", "手紙を", "りんごを"],
        ["読む。", "買った。", "見ました。"],
    )
]
SETTINGS = Tokenisation(
    sentences=16, dictionary=10, line_characters=20, cost=1.0, blocks=2, seconds=0.01
)
RUN = Run(Path(), seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmentation")
    tokenisation.prepare([*SENTENCES, "空 白"], ["友達は猫を見た。"], None, folder, SETTINGS, 0)
    return folder


@pytest.fixture
def few(monkeypatch):
    names = ["vaporetto", "vaporetto-words", "kytea-words", "mecab", "fugashi"]
    some = {name: PROGRAMS[name] for name in names}
    monkeypatch.setattr(tokenisation, "installed", lambda: some)
    return some


def test_the_timed_text_is_neither_taught_nor_in_the_dictionary(folder):
    lines = (folder / "text.txt").read_text(encoding="utf-8").split("\n")
    assert "".join(lines) == "".join(["友達は猫を見た。", *SENTENCES[26:]])
    assert all(len(line) >= 20 for line in lines[:-1])
    record = read_json(folder / "record.json")
    assert record["sentences"] == 16 and min(record["grams"]) > 0
    assert record["evaluation"]["held-out-unidic"]["gold"][0][:2] == ["友達", "は"]


def test_observe_times_each_program_in_fresh_processes(folder, few):
    table = tokenisation.observe(folder, SETTINGS, RUN)
    speed = table[table["metric"] == "characters_per_second"]
    assert speed.groupby("arm").size().to_dict() == dict.fromkeys(few, 2)
    wall = table[table["metric"] == "wall_seconds"]["value"]
    text = (folder / "text.txt").read_text(encoding="utf-8").replace("\n", "")
    passes = speed["value"].to_numpy() * wall.to_numpy() / len(text)
    assert passes == pytest.approx(passes.round()) and (passes.round() >= 1).all()
    assert (wall >= 0.01).all()
    assert set(table["metric"]) >= {"load_seconds", "warmup_seconds", "position"}
    by = table.set_index(["arm", "metric"])["value"]
    assert by["vaporetto", "tokens_per_character"] == by["kytea-words", "tokens_per_character"]
    assert by["fugashi", "tokens_per_word"] == by["mecab", "tokens_per_word"] == 1
    assert by["kytea-words", "same_sentences"] == 1
    assert by["text", "kanji_share"] > 0


def test_a_program_that_cuts_otherwise_is_no_faster_one(folder, few, tmp_path):
    for name in ("model.bin", "text.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    record = read_json(folder / "record.json")
    record["evaluation"]["held-out-unidic"]["found"] = [["友", "達は猫を見た。"]]
    write_json(tmp_path / "record.json", record)
    with pytest.raises(ValueError, match="vaporetto-words cuts only"):
        tokenisation.observe(tmp_path, SETTINGS, RUN)


def test_programs_of_other_counts_are_refused(folder):
    results = [{"arm": "mecab", "tokens": count} for count in (5, 6)]
    with pytest.raises(ValueError, match="mecab cuts one text into 5 and 6"):
        tokenisation._counts(folder, results)


def test_conditions_name_the_tier_of_each_arm_and_what_is_left_out(folder, few):
    found = tokenisation.conditions(folder, SETTINGS, RUN)
    tiers = {arm: tier(given) for arm, given in found.items()}
    assert tiers["vaporetto"] == tiers["kytea-words"] == "reduced"
    assert tiers["mecab"] == tiers["fugashi"] == "at-scope"
    assert "janome: not installed, left out" in found["mecab"]["fallbacks"]
    assert found["kytea-words"]["own"]["model"]["sentences"] == 16
    assert "model" not in found["fugashi"]["own"]


@pytest.mark.parametrize("name", ["fugashi", "sudachipy-a", "sudachipy-c", "budoux"])
def test_the_words_of_a_program_are_the_line(folder, name):
    split = PROGRAMS[name].load(folder / "model.bin")
    words = split("今日は3冊の本を読みました。")
    assert len(words) > 3 and "".join(words) == "今日は3冊の本を読みました。"


@pytest.mark.parametrize(("text", "words"), [("mecab", "fugashi"), ("kytea", "kytea-words")])
def test_counts_of_words_agree_with_counts_in_text(folder, text, words):
    first, second = PROGRAMS[text], PROGRAMS[words]
    line = "先生が手紙を読む。トムは本を買った。"
    assert first.count(first.load(folder / "model.bin")(line)) == second.count(
        second.load(folder / "model.bin")(line)
    )


def test_mecab_counts_its_feature_lines(folder):
    program = PROGRAMS["mecab-features"]
    assert program.count(program.load(folder)("猫だ。")) == 3
