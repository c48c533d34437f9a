import pandas as pd
import pytest
from kensho.augment import shots

SENTENCES = pd.DataFrame(
    [
        ("1", "彼は昨日ここへ来ました。", "He came here yesterday."),
        ("2", "昨日あの人がここに来た。", "He came here yesterday."),
        ("3", "外は雨が降っている。", "It is raining."),
        ("4", "今は雨が降っています。", "It is raining."),
        ("5", "私は猫がとても好きだ。", "I like cats a lot."),
        ("6", "短い。", "Short."),
    ],
    columns=["id", "ja", "en"],
)


def test_examples_share_no_side_with_the_splits():
    used = pd.DataFrame({"id": ["9"], "ja": ["私は猫がとても好きだ！"], "en": ["it is raining"]})
    shown = shots.translations(SENTENCES, used, seed=1, count=2)
    assert {en for _, en in shown} == {"He came here yesterday."} and len(shown) == 2
    (pair,) = shots.paraphrases(SENTENCES, used, seed=1, count=1)
    assert set(pair) == {"彼は昨日ここへ来ました。", "昨日あの人がここに来た。"}


def test_the_seed_draws_them_whatever_the_order_of_the_rows():
    used = SENTENCES[:0]
    drawn = [shots.translations(SENTENCES, used, seed=seed, count=2) for seed in range(5)]
    assert len(set(map(tuple, drawn))) > 1
    assert shots.translations(SENTENCES[::-1], used, seed=0, count=2) == drawn[0]
    pairs = shots.paraphrases(SENTENCES, used, seed=0, count=1)
    assert shots.paraphrases(SENTENCES[::-1], used, seed=0, count=1) == pairs


def test_too_few_are_refused():
    with pytest.raises(ValueError, match=r"only 5 of 9 worked examples .+; lower `shots`"):
        shots.translations(SENTENCES, SENTENCES[:0], seed=0, count=9)
