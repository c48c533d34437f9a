"""Cleaning, near-duplicates and mixtures: counted, and the same however a corpus is divided."""

import json
import random
from collections import Counter
from typing import get_args

import numpy as np
import pyarrow.parquet as pq
import pytest
from kensho.data import minhash, mixtures, readers, shards
from kensho.data.cleaning import FILTERS, Cleaner
from kensho.data.corpora import Corpora, Filter
from kensho.data.minhash import Sketches
from kensho.data.records import Reading

LETTERS = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわ"
SETTINGS = Corpora().model_dump()


def texts(count):
    """Sentences of random kana, each unlike the others, a fifth of them like an earlier one."""
    rng = random.Random(3)
    found = []
    for number in range(count):
        text = "".join(rng.choice(LETTERS) for _ in range(90)) + "。"
        if number % 10 == 5:
            text = found[number // 2]
        if number % 10 == 8:
            near = found[number // 2]
            text = f"{near[:40]}々{near[41:]}"
        found.append(text)
    return found


def written(folder, each, name="x.jsonl"):
    path = folder / name
    records = (json.dumps({"text": text}, ensure_ascii=False) for text in each)
    path.write_text("\n".join(records) + "\n", encoding="utf-8")
    return shards.File(0, name, path, "permissive")


def made(folder, file, count, settings=SETTINGS, threshold=0.8):
    """Files of the shards of a corpus, and what fell."""
    folder.mkdir()
    counts, files = Counter(), []
    how = Reading("jsonl", {"text": "text"})
    for shard in range(count):
        place = folder / f"{shard}"
        sketches = Sketches(place / "bands.npy", place / "sketches.npy")
        to = shards.Written(place / "d.parquet", place / "m.parquet", place / "f.parquet", sketches)
        each = shards.rows_of([file], how, shard, count)
        counts += shards.make("x", each, Cleaner(settings, "text", "ja"), "ja", (), to)
        files.append(to)
    found = minhash.duplicates([one.sketches for one in files], threshold)
    shards.write_repeats(folder / "repeats.parquet", found, [file.name])
    for shard, one in enumerate(files):
        counts += shards.without_repeats(
            one.documents, folder / "repeats.parquet", (),
            folder / f"{shard}.parquet", folder / f"{shard}.drops.parquet",
        )  # fmt: skip
    return [folder / f"{shard}.parquet" for shard in range(count)], counts


def rows(paths):
    found = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return sorted(found, key=lambda row: int(row["id"].split(":")[1]))


def test_the_number_of_shards_changes_neither_documents_nor_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "BLOCK", 3000)
    file = written(tmp_path, texts(400))
    one, counts = made(tmp_path / "one", file, 1)
    five, others = made(tmp_path / "five", file, 5)
    assert rows(one) == rows(five) and counts == others
    assert {len(pq.read_table(path)) > 0 for path in five} == {True}
    lost = sum(n for (stage, *_), n in counts.items() if stage != "read")
    assert counts["read", "", "rows"] == 400 == len(rows(one)) + lost


def test_equal_and_similar_texts_fall_and_the_earliest_stays(tmp_path):
    each = texts(400)
    paths, counts = made(tmp_path / "all", written(tmp_path, each), 2)
    kept = {int(row["id"].split(":")[1]) - 1 for row in rows(paths)}
    exact = {number for number in range(400) if number % 10 == 5}
    near = {number for number in range(400) if number % 10 == 8}
    assert counts["duplicates", "exact", "equal text"] == len(exact)
    assert not kept & exact and len(near - kept) >= 0.9 * len(near)
    assert kept >= {*range(400)} - exact - near  # what is unlike stays
    drops = [row for path in paths for row in
             pq.read_table(path.with_suffix(".drops.parquet")).to_pylist()]  # fmt: skip
    for drop in drops:
        own, like = (int(drop[key].split(":")[1]) for key in ("id", "like"))
        assert like < own


def test_similarity_is_estimated_without_bias():
    rng = random.Random(5)
    base = [rng.choice(LETTERS) for _ in range(400)]
    pairs = []
    for changed in (20, 60):
        other = base[:]
        for place in rng.sample(range(400), changed):
            other[place] = "漢"
        pairs.append(("".join(base), "".join(other)))
    for one, other in pairs:
        sets = [{text[i : i + 5] for i in range(396)} for text in (one, other)]
        true = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        values = minhash.sketches([one, other])
        assert abs((values[0] == values[1]).mean() - true) < 4 * (0.25 / minhash.SIZE) ** 0.5


def test_a_killed_shard_leaves_nothing_under_its_names(tmp_path):
    file = written(tmp_path, texts(3000))
    to = shards.Written(
        *(tmp_path / name for name in ("d", "m", "f")), Sketches(tmp_path / "b", tmp_path / "s")
    )

    def dying():
        each = shards.rows_of([file], Reading("jsonl", {"text": "text"}), 0, 1)
        for number, row in enumerate(each):
            if number == 2500:
                raise KeyboardInterrupt
            yield row

    with pytest.raises(KeyboardInterrupt):
        shards.make("x", dying(), Cleaner(SETTINGS, "text", "ja"), "ja", (), to)
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


LISTED = "\n".join(text.rstrip("。") for text in texts(3))
CASES = {
    "制御\x07文字です。": ("control", "control characters"),
    "<p>これは文です。</p>": ("html", "HTML markup"),
    "あ。": ("short", "fewer than 5 characters"),
    "あいうえお。" * 9000: ("long", "more than 50000 characters"),
    "This is English text.": ("japanese", "no kana in the first 50 characters"),
    "あ" * 100 + "。": ("repetition", "repeated character 5-grams"),
    LISTED: ("fineweb2", "punctuated lines below 0.167"),
    "これはよい文です。": None,
    "見出しと\n短い行と\nよい文": None,  # no page
    "5 < 6 で、7 > 3 です。": None,
    "<name>さん、こんにちは。": None,  # what stands for a name
    "R&D;と、AT&T;の話です。": None,
    "家族は👨‍👩‍👧で、旗は⚑\ufe0fです。\ufeff": None,
    **{
        f"これは{mark}という文です。": ("html", "HTML markup")
        for mark in (
            *(
                "<blockquote>",
                "<ruby>字<rt>じ</rt></ruby>",
                '<svg width="1">',
                "</label>",
                "<video>",
            ),
            *("&quot;", "&#x27;", "&copy;", "&hellip;", "&#39;", "<?xml version", "<![CDATA["),
        )
    },
    **{
        f"これは{mark}文です。": ("control", "control characters")
        for mark in "\u202e\u2066\ue000\U00100000"
    },
}


@pytest.mark.parametrize("text", CASES)
def test_a_text_falls_at_the_first_filter_that_rejects_it(text):
    assert Cleaner(SETTINGS, "text", "ja")(text, {}).rejected == CASES[text]


def test_batches_by_characters_change_nothing(tmp_path, monkeypatch):
    file = written(tmp_path, texts(400))
    one, counts = made(tmp_path / "one", file, 2)
    monkeypatch.setattr(shards, "CHARACTERS", 500)
    other, others = made(tmp_path / "other", file, 2)
    assert rows(one) == rows(other) and counts == others
    assert pq.ParquetFile(tmp_path / "other/0/d.parquet").num_row_groups > 40


def test_equal_texts_without_a_character_are_repeats(tmp_path):
    settings = {**SETTINGS, "filters": ["control"]}
    paths, counts = made(tmp_path / "all", written(tmp_path, ["", ""]), 1, settings)
    assert len(rows(paths)) == 1 and counts["duplicates", "exact", "equal text"] == 1


def test_a_reason_that_quotes_half_a_character_is_written(tmp_path):
    file = written(tmp_path, texts(1))
    file.path.write_text('{"\\ud800": "x"}\n', encoding="utf-8")
    paths, counts = made(tmp_path / "all", file, 1)
    assert rows(paths) == [] and counts["read", "", "rows"] == 1


def test_every_filter_of_the_settings_is_there_and_lists_of_words_are_opt_in():
    assert {*FILTERS} == {*get_args(Filter)}
    lists = {"adult", "adult-en", "violence", "discrimination", "advertisements", "comments"}
    assert not lists & {*SETTINGS["filters"]}


def test_a_language_score_is_held_to_its_threshold_where_there_is_one():
    cleaner = Cleaner(SETTINGS, "text", "ja")
    page = "".join(texts(3))
    assert cleaner(page, {"language_score": 0.88}).rejected[0] == "fineweb2"
    assert cleaner(page, {"language_score": 0.89}).rejected is None


def test_both_sides_of_a_pair_are_looked_at_and_masked():
    masking = {**SETTINGS, "filters": ["control", "html", "mask-personal-information"]}
    cleaner = Cleaner(masking, "pairs", "ja-en")
    assert cleaner("犬です。", {}, "<b>dog</b>").rejected == ("html", "HTML markup")
    clean = cleaner("電話は090-1234-5678です。", {}, "Write to me@example.com.")
    assert "1234-XXXX" in clean.text and "xxxx@" in clean.beside


def mixed(folder, shares, size, unit, parts, seed=7):
    weights = {corpus: weight for corpus, (_, weight) in shares.items()}
    paths = {corpus: files for corpus, (files, _) in shares.items()}
    drawn = mixtures.draw(paths, weights, size=size, unit=unit, seed=seed, mixture="m")
    to = [folder / f"{seed}-{parts}-{part}.parquet" for part in range(parts)]
    counts = mixtures.write(paths, drawn, to, seed=seed, mixture="m")
    return drawn, counts, [row for path in to for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    file = written(folder, texts(300))
    return {count: made(folder / f"{count}", file, count)[0] for count in (1, 3)}


def test_a_mixture_is_the_same_however_its_corpora_and_itself_are_divided(corpora, tmp_path):
    drawn, counts, whole = mixed(
        tmp_path, {"a": (corpora[1], 0.75), "b": (corpora[3], 0.25)}, 100, "documents", 1
    )
    assert {one.corpus: one.documents for one in drawn} == {"a": 75, "b": 25} == dict(counts)
    *_, divided = mixed(
        tmp_path, {"a": (corpora[3], 0.75), "b": (corpora[1], 0.25)}, 100, "documents", 4
    )
    assert whole == divided
    *_, other = mixed(
        tmp_path, {"a": (corpora[1], 0.75), "b": (corpora[3], 0.25)}, 100, "documents", 1, seed=8
    )
    assert whole != other and len(other) == 100


def test_a_file_of_a_mixture_is_held_a_range_at_a_time(corpora, tmp_path, monkeypatch):
    """Whether of a corpus much is taken or little."""
    shares = {"a": (corpora[1], 0.9), "b": (corpora[3], 0.1)}
    drawn, _, whole = mixed(tmp_path / "whole", shares, 200, "documents", 2)
    characters = sum(one.characters for one in drawn)
    monkeypatch.setattr(mixtures, "HELD", characters // 10)
    *_, ranged = mixed(tmp_path / "ranged", shares, 200, "documents", 2)
    assert ranged == whole
    groups = [pq.ParquetFile(path).metadata for path in sorted((tmp_path / "ranged").glob("*"))]
    largest = max(one.row_group(n).num_rows for one in groups for n in range(one.num_row_groups))
    assert largest < 40  # of 200


@pytest.mark.parametrize(("size", "parts"), [(5, [2, 3]), (7, [4, 3]), (100, [50, 50])])
def test_documents_of_a_mixture_add_up_to_its_size(corpora, size, parts):
    paths = {"a": corpora[1], "b": corpora[3]}
    weights = {"b": 0.25, "a": 0.25}
    drawn = mixtures.draw(paths, weights, size=size, unit="documents", seed=1, mixture="m")
    assert [one.documents for one in drawn] == parts


def test_a_mixture_by_characters_keeps_its_shares(corpora, tmp_path):
    shares = {"a": (corpora[1], 0.5), "b": (corpora[3], 0.5)}
    drawn, _, rows = mixed(tmp_path, shares, 9000, "characters", 2)
    for one in drawn:
        assert 4500 <= one.characters < 4500 + 92
    assert sum(len(row["text"]) for row in rows) == sum(one.characters for one in drawn)


def test_a_corpus_that_is_too_small_is_refused_not_repeated(corpora, tmp_path):
    with pytest.raises(ValueError, match=r"m: a has \d+ documents of the 900 .*; lower its size"):
        mixed(tmp_path, {"a": (corpora[1], 1.0)}, 900, "documents", 1)


def test_a_weight_that_takes_nothing_is_refused_with_its_mend(corpora):
    paths, weights = {"a": corpora[1], "b": corpora[3]}, {"a": 0.999, "b": 0.001}
    with pytest.raises(ValueError, match=r"m: b has a weight that takes no .*, or the size$"):
        mixtures.draw(paths, weights, size=20, unit="documents", seed=1, mixture="m")


def test_a_sample_follows_from_the_ids_alone(corpora):
    one, three = (mixtures.lowest(corpora[count], 20, 1, "x") for count in (1, 3))
    assert one.equals(three) and one["id"].is_unique and len(one) == 20
    assert mixtures.lowest(corpora[1], 10_000, 1, "x").shape[0] == len(rows(corpora[1]))


def test_orders_hold_file_and_row():
    assert minhash.place(minhash.order(70_000, 5_000_000_000)) == (70_000, 5_000_000_000)
    assert np.uint64(minhash.order(70_000, 5)) > np.uint64(minhash.order(69_999, 1 << 39))
