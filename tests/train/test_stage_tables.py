"""Tables of stages: pairs, and documents of a mixture in several files."""

import hashlib

import pandas as pd
import pytest
from kensho.data.corpus import write_table
from kensho.files import sha256
from kensho.train.tables import exchanges, read


def mixture(path, texts, ja):
    frame = pd.DataFrame({"id": [f"{path.stem}:{k}" for k in range(len(texts))], "text": texts})
    frame.assign(ja=ja).to_parquet(path)
    return str(path)


def test_the_first_samples_of_a_table(tmp_path):
    path = tmp_path / "train.csv"
    write_table(path, pd.DataFrame({"id": ["1", "2"], "en": ["a", "b"], "ja": ["あ", "い"]}))
    samples, of, digest, _ = read([str(path)], 1, 0)
    assert (list(samples["ja"]), of, digest) == (["あ"], 2, sha256(path))
    assert len(read([str(path)], None, 0)[0]) == 2


def test_documents_of_several_files_are_one_table(tmp_path):
    one = mixture(tmp_path / "0.parquet", ["本文", None], [None, "訳文"])
    two = mixture(tmp_path / "1.parquet", ["終わり"], [None])
    samples, of, digest, _ = read([one, two], None, 0)
    assert list(samples["text"]) == ["本文", "訳文", "終わり"] and of == 3
    assert digest == hashlib.sha256(f"{sha256(one)}\n{sha256(two)}".encode()).hexdigest()


def test_documents_without_text_are_counted_and_refused(tmp_path):
    path = mixture(tmp_path / "0.parquet", ["本文", None], [None, None])
    with pytest.raises(ValueError, match=r"1 documents are turns, not text; take another"):
        read([path], None, 0)


def test_no_document_is_learned_that_is_a_sentence_tested_or_held_out(tmp_path):
    rows = {
        "test": [("1", "A dog.", "犬。")],
        "train": [("2", "A cat.", "猫。"), ("3", "A bird.", "鳥。")],
    }
    corpus = [str(tmp_path / f"{name}.csv") for name in rows]
    for path, table in zip(corpus, rows.values(), strict=True):
        write_table(path, pd.DataFrame(table, columns=["id", "en", "ja"]))
    texts = ["犬", "犬が走る。", "A DOG", "猫。", "a bird", "鳥"]
    mixed = mixture(tmp_path / "0.parquet", texts, [None] * 6)
    kept = read([mixed], 2, 1, corpus)
    assert [*kept.table["text"]] == ["犬が走る。", "猫。"] and (kept.of, kept.tested) == (2, 4)
    assert not kept.table["held_out"].any()
    further = mixture(tmp_path / "2.parquet", ["馬", "犬"], [None] * 2)  # beyond what is asked for
    kept = read([mixed, further], 2, 1, corpus)
    assert (len(kept.table), kept.of, kept.tested) == (2, 4, 4)
    assert len(read([mixed, further], 3, 1, corpus).table) == 3
    assert read([mixed], None, 0, corpus).tested == 2  # all of the corpus is learned
    with pytest.raises(ValueError, match="tested or held out has every document; take another"):
        read([mixture(tmp_path / "1.parquet", ["犬", "鳥"], [None] * 2)], 2, 1, corpus)


def test_a_stage_that_trains_nothing_reads_nothing():
    samples, of, *_ = read([], None, 16)
    assert samples.empty and of == 0


def spoken(*turns):
    return [{"speaker": speaker, "text": text} for speaker, text in turns]


def test_every_turn_that_answers_is_a_sample_behind_the_exchanges_before_it():
    turns = spoken(("x", "一"), ("y", "二"), ("y", "三"), ("x", "四"), ("y", " "), ("y", "五"))
    made = exchanges(pd.Series([turns]))
    assert made["prompt"].tolist() == ["一", "二\n三", "四"]
    assert made["completion"].tolist() == [" 二\n三", " 四", " 五"]
    assert made["before"].tolist() == [[], [], [("一", " 二\n三")]]


def test_where_an_assistant_speaks_its_turns_alone_are_answers():
    turns = spoken(("user", "一"), ("assistant", "二"), ("user", "三"), ("assistant", "四"))
    made = exchanges(pd.Series([turns]))
    assert made["completion"].tolist() == [" 二", " 四"]
    assert made["before"].tolist() == [[], [("一", " 二")]]


@pytest.fixture
def corpus(tmp_path):
    rows = {"test": [("1", "A dog.", "犬。")], "train": [("2", "A cat.", "猫。"), ("3", "x", "魚")]}
    for name, own in rows.items():
        write_table(tmp_path / f"{name}.csv", pd.DataFrame(own, columns=["id", "en", "ja"]))
    return [str(tmp_path / f"{name}.csv") for name in rows]


def shard(path, **columns):
    rows = max(map(len, columns.values()))
    frame = {"id": [f"{path.stem}:{k}" for k in range(rows)]}
    frame |= {name: columns.get(name, [None] * rows) for name in ("text", "ja", "en", "turns")}
    pd.DataFrame(frame).to_parquet(path)
    return str(path)


def test_pairs_of_a_mixture_are_left_out_by_either_side(tmp_path, corpus):
    mixed = shard(tmp_path / "0.parquet", ja=["犬", "鳥", "馬"], en=["y", "a bird", "A DOG"])
    kept = read([mixed], None, 1, corpus, "pairs")
    assert kept.table[["en", "ja"]].to_numpy().tolist() == [["a bird", "鳥"]]
    assert (kept.of, kept.tested) == (1, 2)


def test_dialogues_of_a_mixture_are_exchanges_and_one_with_a_tested_turn_is_left_out(
    tmp_path, corpus
):
    turns = [spoken(("x", "一"), ("y", "二"), ("x", "三")), spoken(("x", "犬。"), ("y", "四"))]
    kept = read([shard(tmp_path / "0.parquet", turns=turns)], 1, 1, corpus, "pairs")
    assert kept.table["completion"].tolist() == [" 二"] and not kept.table["held_out"].any()
    assert (kept.of, kept.tested) == (2, 1)


def test_a_mixture_of_texts_or_of_both_kinds_is_no_pairs(tmp_path, corpus):
    both = shard(tmp_path / "0.parquet", ja=["鳥", None], en=["b", None], turns=[None, spoken()])
    texts = shard(tmp_path / "1.parquet", text=["本文"])
    for path in (both, texts):
        with pytest.raises(ValueError, match="neither all pairs nor all dialogues; take a mixture"):
            read([path], None, 1, corpus, "pairs")
