"""Measures of a document, by hand."""

import math
import random
import re

import pytest
from kensho.data.measures import (
    MEASURES,
    SCRIPTS,
    analyze_japanese_characteristics,
    lines,
    measured,
    personal,
    word_measures,
    words,
)


def test_shares_of_scripts_sum_to_one_and_leave_white_space_out():
    text = "ひら カタカナー漢字々 abc ＡＢ 12３、。・ß→\n"
    shares = analyze_japanese_characteristics(text)
    counts = {"hiragana": 2, "katakana": 5, "kanji": 3, "latin": 6, "digits": 3, "punctuation": 3}
    total = sum(counts.values()) + 1
    assert shares == pytest.approx(
        {**{name: count / total for name, count in counts.items()}, "other_scripts": 1 / total}
    )
    assert sum(analyze_japanese_characteristics("").values()) == 0
    assert {*counts} == {*SCRIPTS}


def test_lines_that_came_before_and_that_end_a_sentence():
    assert lines("あ。\nい\n\nあ。\n「う」") == {
        "lines": 5, "duplicated_lines": 0.25, "punctuated_lines": 0.75
    }  # fmt: skip


def test_the_commonest_words_in_a_row_and_line_ends_per_word():
    text = "猫が好き猫が好き犬は嫌い\n"
    assert words("猫が好き") == ["猫", "が", "好き"]
    found = word_measures(text)
    assert found["newline_ratio"] == 1 / len(words(text))
    assert found["top_3_grams"] == pytest.approx(2 * len("猫 が 好き") / len(text))
    assert word_measures("猫が好き")["top_2_grams"] == 0  # nothing comes twice
    assert word_measures("") == dict.fromkeys(found, 0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("連絡は taro.yamada@example.co.jp まで", "e-mail addresses"),
        ("電話 03-1234-5678 です", "telephone numbers"),
        ("携帯09012345678", "telephone numbers"),
        ("+81 90-1234-5678", "telephone numbers"),
        ("〒100-0001 千代田区", "postcodes"),
        ("4111-1111-1111-1111", "card numbers"),
    ],
)
def test_personal_information_is_counted(text, kind):
    assert personal(text) == {kind: 1}


@pytest.mark.parametrize("text", ["2011-03-11", "1,234,567円", "ISBN 978-4-00-310101-8"])
def test_dates_and_amounts_are_no_personal_information(text):
    assert not personal(text)


def test_every_measure_is_there():
    found = measured("これは文です。", with_words=False)
    assert {*found, "repetition"} == {*MEASURES}
    assert math.isnan(found["top_2_grams"]) and not math.isnan(found["kanji"])


ADDRESSES = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+", re.A)  # of any length


def test_addresses_are_found_as_by_their_whole_pattern():
    rng = random.Random(4)
    each = ["".join(rng.choice("ab.@!-あ ") for _ in range(40)) for _ in range(2000)]
    counts = [personal(text)["e-mail addresses"] for text in each]
    assert counts == [len(ADDRESSES.findall(text)) for text in each] and max(counts) > 1
    assert not personal("a" * 1_000_000)  # would take hours if each began one
