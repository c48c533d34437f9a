import itertools

import numpy as np
import pytest
from kensho.data.duplicates import bigrams, key, near, near_pairs

THRESHOLDS = [0.2, 1 / 3, 0.5, 0.6, 2 / 3, 0.7, 0.8, 1.0]


def jaccard(one, other):
    a, b = bigrams(one), bigrams(other)
    return len(a & b) / len(a | b)


def strings(count, seed, alphabet="あいうえ漢。"):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(alphabet), rng.integers(0, 12))) for _ in range(count)]


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_near_pairs_are_those_of_the_brute_force(threshold):
    texts = strings(300, seed=11)
    pairs = itertools.combinations(range(len(texts)), 2)
    expected = [(i, j) for i, j in pairs if jaccard(texts[i], texts[j]) >= threshold]
    assert len(expected) > 20
    assert near_pairs(texts, threshold) == expected


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_near_agrees_with_the_brute_force_also_on_characters_never_seen(threshold):
    reference, texts = strings(80, seed=1), strings(150, seed=2, alphabet="あいう漢字ー")
    expected = [any(jaccard(text, other) >= threshold for other in reference) for text in texts]
    assert 0 < sum(expected) < len(texts)
    assert near(texts, reference, threshold).tolist() == expected


def test_the_threshold_itself_counts():
    one, other = "あいうえおか", "あいうえおき"  # four bigrams of six in common
    assert jaccard(one, other) == 4 / 6
    assert near_pairs([one, other], 4 / 6) == [(0, 1)]
    assert near_pairs([one, other], 0.67) == []


@pytest.mark.parametrize("texts", [[], [""], ["あ"], ["。、！"]])
def test_fewer_than_two_texts_have_no_pair(texts):
    assert near_pairs(texts, 0.7) == []
    assert near(texts, [], 0.7).tolist() == [False] * len(texts)
    assert near([], texts, 0.7).tolist() == []


def test_texts_without_bigrams_are_near_only_to_their_like():
    assert near_pairs(["", "。", "あ", "い", "あ！", "あい"], 0.1) == [(0, 1), (2, 4)]
    assert near(["！", "い"], ["", "あ"], 0.1).tolist() == [True, False]


def test_equality_leaves_width_case_space_and_punctuation_aside():
    assert key("ＡＢＣ　ｶﾞ、「が」_?") == "abcガが"
    assert key("É") == key("É")
    assert key("がっこう") != key("かっこう")
    assert key("。_！ 　") == ""
