import pandas as pd
import pytest
from kensho.augment import grammar, sample_rng

WRITTEN = [
    "彼は学校へ行った。",
    "私は本を読まない。",
    "友達が駅で待っている。",
    "犬は公園を走った。",
    "母は手紙を書いた。",
    "妹が学校で本を読んでいる。",
]
KNOWN = grammar.attested(WRITTEN)
SAMPLES = pd.DataFrame({"id": ["1"], "ja": ["兄は駅へ走った。"], "en": ["My brother ran."]})


def checked(*texts, parent="1", samples=SAMPLES):
    variants = pd.DataFrame({"id": [*map(str, range(len(texts)))], "parent": parent, "ja": texts})
    return grammar.checked(variants, samples, KNOWN)["unattested"].tolist()


@pytest.mark.parametrize(
    ("broken", "connection"),
    [
        ("兄はが駅へ走った。", "は/助詞/* + が/助詞/*"),
        ("は兄駅へ走った。", "^ + は/助詞/*"),
        ("兄は駅へ走っない。", "動詞-一般-*/動詞/連用形-促音便 + ない/助動詞/終止形-一般"),
        ("兄は駅走ったへ。", "た/助動詞/終止形-一般 + へ/助詞/*"),
    ],
)
def test_words_that_nobody_joined_are_named(broken, connection):
    written = set(KNOWN.itertuples(index=False, name=None))
    named = [" + ".join(one) for one in grammar.unattested(broken, SAMPLES["ja"][0], written)]
    assert checked(broken) == named[:1] and connection in named


def test_other_words_of_the_same_kinds_pass():
    assert checked("姉は犬を待っている。", "弟が手紙を走った。", SAMPLES["ja"][0]) == [""] * 3


def test_what_the_parent_has_is_not_held_against_its_variant():
    odd = "兄へ駅はを走った。"
    assert checked(odd) != [""]
    assert checked("姉へ駅はを走った。", samples=SAMPLES.assign(ja=odd)) == [""]


def test_connections_hang_on_what_was_read_and_not_on_its_order():
    pd.testing.assert_frame_equal(grammar.attested(WRITTEN[::-1] + WRITTEN), KNOWN)
    assert set(KNOWN.itertuples(index=False, name=None)) == {
        one for text in WRITTEN for one in grammar.connections(text)
    }


def test_what_the_check_rejects_is_told_of_sentences_that_it_has_not_read():
    both = pd.DataFrame({"first": WRITTEN[:3], "second": WRITTEN[3:]})
    told = grammar.calibrate(both, KNOWN, len(WRITTEN), 0.05, seed=1)
    assert told["false_reject"] == 0
    assert told["swapped_rejected"] > 0.5
    assert (told["tested_on"], told["connections"]) == (3, len(KNOWN))


def test_a_check_that_rejects_what_people_write_is_refused():
    both = pd.DataFrame({"first": WRITTEN[:3], "second": WRITTEN[3:]})
    few = grammar.attested(WRITTEN[:1])
    with pytest.raises(ValueError, match=r"guard.sentences: .* 1 sentences and rejects 100% of"):
        grammar.calibrate(both, few, 1, 0.05, seed=1)
    assert grammar.calibrate(both, few, 1, 1.0, seed=1)["false_reject"] == 1


def test_sentences_that_the_calibration_tests_on_are_not_drawn():
    drawn = grammar.drawn([*WRITTEN, WRITTEN[0]], {WRITTEN[2]}, 10, seed=3)
    assert sorted(drawn) == sorted({*WRITTEN} - {WRITTEN[2]})
    assert grammar.drawn(WRITTEN, (), 2, seed=3) == grammar.drawn(WRITTEN, (), 6, seed=3)[:2]


def test_a_swap_moves_words_and_no_marks():
    other = grammar.swapped(WRITTEN[0], sample_rng(1, "x", "y"))
    assert other != WRITTEN[0] and sorted(other) == sorted(WRITTEN[0]) and other[-1] == "。"
    assert grammar.swapped("走れ！", sample_rng(1, "x", "y")) == "走れ！"
