import pandas as pd
from kensho.augment import COLUMNS
from kensho.augment.pivot import pairs, pivot


def table(*rows):
    return pd.DataFrame(rows, columns=["id", "ja", "en"])


SENTENCES = table(
    ("1", "私は学生です。", "I am a student."),
    ("2", "ぼくは学生だ。", "I am a student"),
    ("3", "わたくしは学生でございます。", "i am a student!"),
    ("4", "彼は昨日ここへ来ました。", "He came here yesterday."),
    ("5", "昨日あの人がここに来た。", "He came here yesterday."),
    ("6", "雨が降っている。", "It is raining."),
    ("7", "雨です。", "It is raining."),
    ("8", "猫が好きだ。", "I like cats."),
)
SAMPLES = SENTENCES[SENTENCES["id"].isin(["1", "4", "8"])]
TEST = table(
    ("9", "昨日あの人がここに来たよ。", "So he came."), ("10", "降ってる。", "It is raining.")
)


def made(samples=SAMPLES, sentences=SENTENCES, test=TEST, per_sample=5, seed=3):
    return pivot(samples, sentences, test, seed=seed, per_sample=per_sample, threshold=0.7)


def test_others_with_one_english_side_are_variants_and_every_candidate_is_counted():
    variants, counts = made()
    assert list(variants.columns) == COLUMNS
    assert sorted(variants["ja"]) == ["ぼくは学生だ。", "わたくしは学生でございます。"]
    assert set(variants["parent"]) == {"1"}
    assert counts.set_index("reason")["count"].to_dict() == {
        "English side in the test split": 0,
        "bigram Jaccard >= 0.7 to a test sentence": 1,
        "another sample": 0,
        "more than per_sample": 0,
        "kept": 2,
    }


def test_a_planted_english_side_of_the_test_split_is_left_out():
    variants, counts = made(samples=SENTENCES[SENTENCES["id"] == "6"])
    assert variants.empty
    assert counts.set_index("reason")["count"].to_dict()["English side in the test split"] == 1
    assert counts["count"].sum() == 1


def test_neither_row_order_nor_other_samples_change_what_is_taken():
    whole, counts = made(per_sample=1)
    assert counts.set_index("reason")["count"]["more than per_sample"] == 1
    turned, _ = made(samples=SAMPLES[::-1], sentences=SENTENCES[::-1], per_sample=1)
    alone, _ = made(samples=SAMPLES[:1], per_sample=1)
    pd.testing.assert_frame_equal(whole, turned)
    pd.testing.assert_frame_equal(whole, alone)


def test_a_sample_is_no_variant_of_another():
    """It would repeat what an arm has already, in place of what people wrote besides."""
    both = SENTENCES[SENTENCES["id"].isin(["1", "2"])]
    variants, counts = made(samples=both)
    assert set(variants["ja"]) == {"わたくしは学生でございます。"}
    assert counts.set_index("reason")["count"]["another sample"] == 2


def test_the_seed_chooses_among_several():
    assert len({made(per_sample=1, seed=seed)[0]["ja"][0] for seed in range(9)}) == 2


def test_pairs_share_no_sentence_and_no_english_side_with_the_splits():
    used = pd.concat([SAMPLES[SAMPLES["id"] == "1"], TEST])
    found = pairs(SENTENCES, used)
    assert found.to_dict("records") == [
        {"source": one, "target": other, "en": "He came here yesterday."}
        for one, other in [
            ("彼は昨日ここへ来ました。", "昨日あの人がここに来た。"),
            ("昨日あの人がここに来た。", "彼は昨日ここへ来ました。"),
        ]
    ]


def test_an_english_side_without_letters_is_none():
    sentences = table(("5", "鳥だ。", "..."), ("6", "魚が泳ぐ。", "!!!"), ("7", "馬だ。", ""))
    assert pairs(sentences, TEST).empty
    variants, counts = made(samples=table(("1", "猫だ。", "?")), sentences=sentences)
    assert variants.empty and counts["count"].sum() == 0
