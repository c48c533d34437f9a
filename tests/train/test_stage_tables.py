"""Tables of stages: pairs, and documents of a mixture in several files."""

import hashlib

import pandas as pd
import pytest
from kensho.data.corpus import write_table
from kensho.files import sha256
from kensho.train.tables import read


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


def test_no_document_is_learned_that_is_a_sentence_of_the_test_set(tmp_path):
    write_table(
        tmp_path / "test.csv", pd.DataFrame({"id": ["1"], "en": ["A dog."], "ja": ["犬。"]})
    )
    texts = ["犬", "犬が走る。", "A DOG", "猫。"]
    mixed = mixture(tmp_path / "0.parquet", texts, [None] * 4)
    kept = read([mixed], 2, 0, [str(tmp_path / "test.csv")])
    assert [*kept.table["text"]] == ["犬が走る。", "猫。"] and (kept.of, kept.tested) == (2, 2)
    with pytest.raises(ValueError, match="the test set has every document; take"):
        read([mixture(tmp_path / "1.parquet", ["犬"], [None])], 2, 0, [str(tmp_path / "test.csv")])


def test_a_stage_that_trains_nothing_reads_nothing():
    samples, of, *_ = read([], None, 16)
    assert samples.empty and of == 0
