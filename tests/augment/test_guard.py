import pandas as pd
import pytest
from kensho.augment import guard

PAIRS = pd.DataFrame(
    [
        ("今日は雨が降っている。", "It is raining today."),
        ("彼は医者です。", "He is a doctor."),
        ("駅はどこですか。", "Where is the station?"),
        ("本日は雨が降っています。", "It is raining today!"),
        ("駅はどちらですか。", "Where is the station?"),
        ("彼は医師だ。", "He is a doctor."),
        ("猫が好きだ。", "I like cats."),
        ("出かけた。", "Left out."),
        ("外出した。", "Left out."),
    ],
    columns=["ja", "en"],
)
USED = pd.DataFrame({"ja": ["出かけた。"], "en": ["Left."]})


def test_both_sentences_of_a_paraphrase_have_one_english_side():
    both = guard.paraphrases(PAIRS, USED, 3, seed=1)
    side = PAIRS.assign(en=PAIRS["en"].str.strip("!.?")).set_index("ja")["en"]
    assert both["first"].map(side).tolist() == both["second"].map(side).tolist()
    assert (both["first"] != both["second"]).all()
    assert not {*both["first"], *both["second"]} & {"出かけた。", "外出した。", "猫が好きだ。"}
    with pytest.raises(ValueError, match=r"guard.pairs: 4, but there are 3 .*lower it"):
        guard.paraphrases(PAIRS, USED, 4, seed=1)


def test_paraphrases_are_nearer_than_other_sentences():
    near = guard.similarities(PAIRS["ja"][:2].tolist(), [PAIRS["ja"][3], PAIRS["ja"][5]])
    far = guard.similarities(PAIRS["ja"][:2].tolist(), [PAIRS["ja"][6], PAIRS["ja"][4]])
    assert near.min() > 0.7 > far.max()


def test_vectors_do_not_depend_on_what_else_is_encoded():
    texts = PAIRS["ja"].tolist()
    alone = [guard.embed([text])[0].tobytes() for text in texts]
    assert [row.tobytes() for row in guard.embed(texts[::-1])[::-1]] == alone
