import itertools

import numpy as np
import pandas as pd
import pytest
from kensho.data.corpus import (
    clean,
    normalise,
    read_table,
    read_tatoeba,
    split,
    with_english,
    write_table,
)
from kensho.data.duplicates import bigrams, key

WHO = ["彼", "彼女", "父", "母", "先生", "私の友達", "隣の犬", "あの医者", "弟", "みんな"]
WHAT = ["本を読む", "駅まで歩く", "寿司を食べる", "ピアノを弾く", "英語を教える", "手紙を書く"]
WHEN = ["毎朝", "昨日から", "夏になると", "雨の日に", "夜遅くまで", "週末だけ", "ときどき", "今も"]
SIZES = {"pool": 500, "train": 150, "test": 40, "threshold": 0.7}


def pairs():
    """Sentences of a grammar with near-duplicates; eight of them share an English side."""
    product = itertools.product(WHEN, WHO, WHAT)
    rows = [(f"{who}は{when}{what}。", f"{who} does {what}") for when, who, what in product]
    rows = [(ja, en.upper() + "!" if i % 7 else en) for i, (ja, en) in enumerate(rows)]
    rows += [(ja.replace("。", "よ！"), f"sentence {i}") for i, (ja, _) in enumerate(rows[::25])]
    frame = pd.DataFrame(rows, columns=["ja", "en"])
    return frame.assign(id=[f"{index:05d}" for index in range(len(frame))])


def sides(seed=1, frame=None, **sizes):
    splits, drops = split(pairs() if frame is None else frame, seed=seed, **SIZES | sizes)
    return splits["train"], splits["test"], drops


def similarity(one, other):
    return len(one & other) / len(one | other)


@pytest.mark.parametrize("seed", range(5))
def test_splits_share_no_sentence_no_english_and_no_near_pair(seed):
    train, test, _ = sides(seed)
    assert len(train) == 150
    assert 30 < len(test) <= 40
    assert not set(train["ja"].map(key)) & set(test["ja"].map(key))
    assert not set(train["en"].map(key)) & set(test["en"].map(key))
    sets = [bigrams(text) for text in [*train["ja"], *test["ja"]]]
    nearest = max(similarity(a, b) for a, b in itertools.combinations(sets, 2))
    assert 0.5 < nearest < 0.7


def test_the_planted_pairs_are_what_would_have_leaked():
    frame = pairs()
    sets = frame["ja"].map(bigrams)
    close = [(i, j) for i, j in itertools.combinations(range(len(sets)), 2)
             if similarity(sets[i], sets[j]) >= 0.7]  # fmt: skip
    assert len(close) > 50
    assert frame["en"].map(key).duplicated().sum() > 30


def test_of_near_duplicates_the_first_is_kept():
    rows = [
        "駅まで歩いて行きます。",
        "駅まで歩いて行きますよ。",
        "猫が好きだ。",
        "海は広い。",
        "山に登る。",
    ]
    frame = pd.DataFrame({"id": range(5), "ja": rows, "en": list("abcde")})
    train, test, drops = sides(frame=frame, pool=5, train=3, test=1)
    assert sorted([*train["ja"], *test["ja"]]) == sorted(r for r in rows if r != rows[1])
    assert counts(drops)["bigram Jaccard >= 0.7"] == 1


def counts(drops):
    return dict(zip(drops["reason"], drops["count"]))


@pytest.mark.parametrize("pool", [300, 500, 10_000])
def test_every_pair_is_counted_once(pool):
    train, test, drops = sides(pool=pool, train=100)
    assert drops["count"].sum() == len(pairs())
    assert counts(drops)["not drawn"] == max(0, len(pairs()) - pool)
    assert (counts(drops)["train"], counts(drops)["test"]) == (len(train), len(test))


def test_the_seed_decides_and_nothing_else():
    first, again, other = sides(5), sides(5), sides(6)
    for one, two in zip(first, again):
        pd.testing.assert_frame_equal(one, two)
    assert set(first[0]["id"]) != set(other[0]["id"])
    assert set(first[1]["id"]) != set(other[1]["id"])


def test_no_row_is_invented_or_changed():
    frame = pairs().set_index("id")
    train, test, _ = sides()
    chosen = pd.concat([train, test]).set_index("id")
    assert chosen.index.is_unique
    pd.testing.assert_frame_equal(chosen, frame.loc[chosen.index, chosen.columns])


@pytest.mark.parametrize(
    "sizes", [{"train": 400}, {"pool": 100}, {"test": 5000, "train": 1}, {"pool": 1, "train": 1}]
)
def test_a_pool_that_is_too_small_is_one_line_with_the_mend(sizes):
    with pytest.raises(ValueError, match=r"data\.pool leaves \d+ distinct .*raise data\.pool") as e:
        sides(**sizes)
    assert "\n" not in str(e.value)


def test_nothing_left_after_cleaning_is_a_pool_that_is_too_small():
    with pytest.raises(ValueError, match=r"data\.pool leaves 0 distinct sentences"):
        sides(frame=pairs().head(0))


RAW = [
    ("1", "猫が　好きです。", " I like cats. ", ""),
    ("2", "犬が好きです。", "-", "no English side"),
    ("3", "鳥が好きです。", "", "no English side"),
    ("4", "魚が\u200b好き\u0007です。", "I like fish.", "control characters"),
    ("5", "馬が好きです。", "I like \ufffdhorses.", "control characters"),
    ("6", "うん。", "Yeah.", "too short"),
    ("7", "あ" * 31, "Aaa.", "too long"),
    ("8", "東京都千代田区。", "Chiyoda, Tokyo.", "no kana"),
    ("9", "猫が 好きです！", "I love cats.", "repeated sentence"),
    ("10", "犬が好きです！", "I like dogs.", ""),  # only a pair without English came before
    ("11", "ﾃﾚﾋﾞを見る?", "Watch TV?", ""),
    ("12", "犬が好きです", "Dogs are nice.", "repeated sentence"),
    ("13", "うん。", "-", "no English side"),
]
CLEAN = {"shortest": 5, "longest": 30}


def test_each_pair_is_kept_or_dropped_for_the_first_reason_that_holds():
    raw = pd.DataFrame([row[:3] for row in RAW], columns=["id", "ja", "en"])
    kept, drops = clean(raw, **CLEAN)
    assert kept["id"].tolist() == [row[0] for row in RAW if not row[3]]
    expected = pd.Series([row[3] for row in RAW if row[3]]).value_counts().to_dict()
    assert counts(drops) == expected
    assert drops["count"].sum() + len(kept) == len(raw)
    assert kept["ja"].tolist() == ["猫が 好きです。", "犬が好きです！", "テレビを見る？"]
    assert kept["en"].iloc[0] == "I like cats."


def test_counts_add_up_on_a_table_with_any_index():
    raw = pd.concat([pairs(), pairs().tail(30)]).sample(frac=1, random_state=4)
    kept, drops = clean(raw, **CLEAN)
    assert (len(kept), counts(drops)["repeated sentence"]) == (len(pairs()), 30)
    kept, drops = clean(raw, **CLEAN | {"longest": 16})
    assert drops["count"].sum() + len(kept) == len(raw)
    assert counts(drops)["too long"] > 0
    assert kept["ja"].map(key).is_unique
    assert kept["ja"].str.len().between(5, 16).all()


def test_an_empty_table_stays_empty():
    kept, drops = clean(pairs().head(0), **CLEAN)
    assert (len(kept), drops["count"].sum()) == (0, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ﾊﾝｶｸ　カナ", "ハンカク カナ"),
        ("　前後 \t の\u00a0空白\n", "前後 の 空白"),
        ("本当?！すごい!", "本当？！すごい！"),
        ("ＡＢＣ１２３", "ABC123"),
        ("か\u3099", "が"),
        ("㍿と①", "株式会社と1"),
        ("", ""),
    ],
)
def test_normalisation(text, expected):
    assert normalise(text) == expected


def test_normalising_twice_is_normalising_once():
    rng = np.random.default_rng(2)
    for _ in range(500):
        points = rng.choice(
            [*range(0x20, 0x250), *range(0x3000, 0x30FF), *range(0xFF00, 0xFFEF)], 8
        )
        once = normalise("".join(map(chr, points)))
        assert normalise(once) == once


def test_the_tatoeba_export_is_read_as_it_stands(tmp_path):
    path = tmp_path / "tatoeba.tsv"
    lines = ['1\tはい。\t"Yes.\tx', "2\tNA です。\t-\ty", '3\t"うん\tnull\tz']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    frame = read_tatoeba(path)
    assert frame.to_numpy().tolist() == [line.split("\t")[:3] for line in lines]
    path.write_text("")
    with pytest.raises(ValueError, match=r"tatoeba\.tsv: no sentence in it"):
        read_tatoeba(path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2\t\x82\xcd\x82\xa2\t-\n", "not UTF-8 at byte 3 of the line"),
        (b"2\t" + "あ".encode() * 1_700_000 + b"\t-\n", "5,100,004 bytes in one line"),
    ],
)
def test_a_line_of_tatoeba_that_cannot_be_read_is_named(tmp_path, line, reason):
    path = tmp_path / "tatoeba.tsv"
    path.write_bytes("1\tはい。\tYes.\tx\n".encode() + line)
    with pytest.raises(ValueError, match=rf"tatoeba\.tsv: line 2: {reason}.*; delete it to fetch"):
        read_tatoeba(path)


def test_a_sentence_of_tatoeba_without_its_fields_has_no_english_side(tmp_path):
    path = tmp_path / "tatoeba.tsv"
    path.write_text("1\tはい。\n\n2\n", encoding="utf-8")
    pairs, drops = clean(read_tatoeba(path), shortest=1, longest=9)
    assert pairs.empty
    assert drops.set_index("reason")["count"]["no English side"] == 2


def test_tables_of_samples_are_text(tmp_path):
    frame = pd.DataFrame({"id": ["007"], "ja": ["NA"], "en": [""]})
    frame.to_csv(tmp_path / "train.csv", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "train.csv"), frame)


def test_a_table_that_was_cut_short_is_named(tmp_path):
    path = tmp_path / "train.csv"
    frame = pd.DataFrame({"id": ["1", "2"], "ja": ["はい", "うん"], "en": ["Yes", "Yeah"]})
    write_table(path, frame)
    pd.testing.assert_frame_equal(read_table(path), frame)
    path.write_bytes(path.read_bytes().rpartition(b"2,")[0])  # at the end of a line
    with pytest.raises(ValueError, match=r"train\.csv: changed after it was written.*delete it"):
        read_table(path)


def test_a_cleaned_sentence_keeps_the_english_side_of_its_id():
    raw = pd.DataFrame(
        {"id": ["3", "1", "2"], "ja": ["ｳﾐだ。", "山だ。", "x"], "en": [" Sea ", "Hill", "-"]}
    )
    cleaned, _ = clean(raw, shortest=1, longest=9)
    told = with_english(cleaned[["id", "ja"]], raw)
    pd.testing.assert_frame_equal(told, cleaned[["id", "ja", "en"]])
    with pytest.raises(ValueError, match="not a one-to-one"):
        with_english(cleaned[["id", "ja"]], pd.concat([raw, raw]))
