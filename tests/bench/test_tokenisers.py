"""Tokenisers of a small corpus, what is counted of them, and small models on each."""

import json
import math

import pandas as pd
import pytest
import torch
from kensho.bench import settings as own
from kensho.bench import tokeniser_models, tokenisers
from kensho.bench.run import Run
from kensho.bench.tokeniser_arms import ARMS, Cell, cells, named
from kensho.bench.tokeniser_training import load, train
from kensho.data.corpus import write_table
from kensho.linguistics.tokens import words

WHO, WHAT = ("先生", "学生", "医者", "作家"), ("料理", "野菜", "果物", "牛肉")
TEXTS = [f"{who}は{what}を食べた。" for who in WHO for what in WHAT]
SIZES, COVERAGES = [284, 9000], [1.0]
LOWERED = {"layers": 1, "width": 32, "batch_size": 8, "items": 2, "characters": 150}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tokenisers of every arm, as the rule leaves them: one size that TEXTS carry and one not."""
    folder = tmp_path_factory.mktemp("tokenisers")
    for cell in cells(SIZES, COVERAGES):
        model, untrained = train(TEXTS, cell, 1)
        (folder / f"{cell.name}.model").write_bytes(model)
        record = {"untrained": untrained, "sentences": len(TEXTS), "characters": 8 * len(TEXTS)}
        (folder / f"{cell.name}.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def inputs(folder, tmp_path):
    for name, texts in {
        "train": TEXTS,
        "test": ["先生は果物を食べた。", "鯨は 料理を見た。"],
    }.items():
        rows = {"id": [f"{name}{i}" for i in range(len(texts))], "ja": texts}
        write_table(tmp_path / f"{name}.csv", pd.DataFrame(rows))
    records = [folder / f"{cell.name}.json" for cell in cells(SIZES, COVERAGES)]
    return {
        "tokenisers": records,
        "pieces": [path.with_suffix(".model") for path in records],
        **{name: tmp_path / f"{name}.csv" for name in ("train", "test")},
    }


@pytest.fixture
def trained(inputs):
    return {one.cell.arm: one for one in load(inputs["tokenisers"])[0]}


def pieces(tokeniser):
    return {tokeniser.pieces.id_to_piece(i) for i in range(tokeniser.pieces.vocab_size())}


@pytest.mark.parametrize("text", ["", "犬", "犬は 水を　食べた。", " 犬が", "犬が "])
def test_words_joined_are_the_text(text):
    assert "".join(words(text)) == text


def test_a_file_is_named_for_its_tokeniser():
    cell = Cell("unigram-mecab", 8000, 0.9995)
    assert cell.name == "unigram-mecab-8000-0.9995" and named(cell.name) == cell
    assert cell.suffix == "v8000.c9995" and Cell("bpe", 64000, 1.0).suffix == "v64000.c1"


def test_no_piece_crosses_a_word_of_mecab(trained):
    for algorithm in ("unigram", "bpe"):
        across = [p for p in pieces(trained[algorithm]) if len(words(p)) > 1]
        assert any("は" in piece or "を" in piece for piece in across)
        longer = [p for p in pieces(trained[f"{algorithm}-mecab"]) if len(p) > 1 and p[0] != "<"]
        assert longer and {*longer} <= {*WHO, *WHAT, "食べ"}


def test_what_the_corpus_does_not_carry_is_named_and_other_faults_are_raised(inputs):
    loaded, untrained = load(inputs["tokenisers"])
    assert {one.cell.vocabulary for one in loaded} == {284}
    assert {(cell.arm, cell.vocabulary) for cell in untrained} == {(arm, 9000) for arm in ARMS}
    assert all("too high (9000)" in why for why in untrained.values())
    with pytest.raises(RuntimeError):
        train(TEXTS, Cell("bpe", -1, 1.0), 1)


def test_tokens_are_counted_by_script_and_bytes_stand_for_what_is_unknown(trained):
    for one in trained.values():
        known, unknown = (tokenisers.counts(one, text) for text in ("先は肉を", "鯨は肉を"))
        for counted in (known, unknown):
            assert counted["tokens"] == sum(counted[f"tokens_{kind}"] for kind in tokenisers.KINDS)
        assert known["tokens_byte"] == 0 and unknown["tokens_byte"] == len("鯨".encode())
    counted = tokenisers.counts(trained["bpe-mecab"], "先は肉を")
    assert (counted["tokens_kanji"], counted["tokens_hiragana"]) == (2, 2)


def test_a_tokeniser_that_loses_text_is_refused(trained):
    lossy = trained["bpe"]

    class Lossy:
        encode, is_byte = lossy.pieces.encode, lossy.pieces.is_byte

        def decode(self, ids):
            return lossy.pieces.decode(ids)[1:]

    with pytest.raises(ValueError, match="bpe-284-1: its tokens do not give back '先'"):
        tokenisers.counts(lossy._replace(pieces=Lossy()), "先")


def test_every_arm_has_its_counts_and_passes_and_says_what_is_absent(inputs, tmp_path):
    settings = own.Tokenisers(vocabularies=[284, 9000], items=2, passes=3)
    observed = tokenisers.experiment(inputs, settings, Run(tmp_path, seed=1))
    assert {table["arm"].iloc[0] for table, _ in observed} == {*ARMS}
    for table, conditions in observed:
        by_metric = table.groupby("metric")["value"]
        assert by_metric.count()[["tokens.v284.c1", "seconds.v284.c1"]].tolist() == [2, 3]
        assert by_metric.sum()["characters"] == len("先生は果物を食べた。鯨は 料理を見た。")
        assert by_metric.min()["seconds.v284.c1"] > 0 and "tokens.v9000.c1" not in by_metric.groups
        assert {"tokens.v9000.c1", "seconds.v9000.c1"} <= {*conditions["absent"]}
        assert {"tokens.v8000.c9995", "tokens.v8000.c1"} <= {*conditions["absent"]}


def test_characters_are_drawn_until_the_budget_is_met():
    drawn = tokeniser_models.drawn(TEXTS, 30, 4)
    assert sum(map(len, drawn[:-1])) < 30 <= sum(map(len, drawn))
    assert drawn == tokeniser_models.drawn(TEXTS, 100, 4)[: len(drawn)]
    assert drawn != tokeniser_models.drawn(TEXTS, 30, 5)
    with pytest.raises(ValueError, match=r"characters: 999, but the corpus has 160; raise data"):
        tokeniser_models.drawn(TEXTS, 999, 4)


def test_bits_are_those_of_the_tokens_whatever_stands_beside(trained):
    one, texts = trained["unigram"], ["先生は果物を食べた。", "鯨", "医者は"]
    rows = tokeniser_models.rows_of(one, texts)
    torch.manual_seed(0)
    model = tokeniser_models.model_of(284, own.TokeniserModels(**LOWERED), 64)
    together = tokeniser_models.bits(model, rows)
    for row, expected in zip(rows, together, strict=True):
        ids = torch.tensor(row["input_ids"])
        with torch.no_grad():
            chances = model(ids[None]).logits[0, :-1].log_softmax(dim=-1)
        alone = -float(chances[range(len(ids) - 1), ids[1:]].sum()) / math.log(2)
        assert expected == pytest.approx(alone, rel=1e-4)


def test_models_read_equal_characters_and_a_kill_loses_none(inputs, tmp_path, monkeypatch):
    run = Run(tmp_path, threads=1, journal=tmp_path / "kept.jsonl", identity=["code"])
    settings = own.TokeniserModels(seeds=[1, 2], **LOWERED)
    whole = tokeniser_models.experiment(inputs, settings, run)
    assert {table["arm"].iloc[0] for table, _ in whole} == {*ARMS}
    for table, _ in whole:
        value = table.set_index(["block", "metric"])["value"]
        assert value["seed-1", "embedding_parameters.v284.c1"] == 284 * 32
        per = table[table["metric"] == "bits_per_character.v284.c1"]
        assert {*per["block"]} == {f"seed-{s}/sentence-test{i}" for s in (1, 2) for i in (0, 1)}
        assert per["value"].nunique() == 4
    lines = run.journal.read_text().splitlines()
    run.journal.write_text("\n".join(lines[:5]))
    trainings, true = [], tokeniser_models.train
    monkeypatch.setattr(
        tokeniser_models, "train", lambda *to: trainings.append(to[4].name) or true(*to)
    )
    again = tokeniser_models.experiment(inputs, settings, run)
    assert len(trainings) == len(ARMS) * 2 - 5
    timed = "training_seconds.v284.c1"
    for (table, _), (other, _) in zip(whole, again, strict=True):
        tables = [t[t["metric"] != timed].reset_index(drop=True) for t in (table, other)]
        pd.testing.assert_frame_equal(*tables)


def test_an_arm_without_tokeniser_is_refused(inputs, tmp_path):
    large = [path for path in inputs["tokenisers"] if "-9000-" in path.name]
    settings = own.TokeniserModels(seeds=[1], **LOWERED)
    with pytest.raises(ValueError, match=r"vocabularies: unigram: Vocab.*; lower them"):
        tokeniser_models.experiment(inputs | {"tokenisers": large}, settings, Run(tmp_path))
