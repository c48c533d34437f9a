import json

import pandas as pd
import pytest
from kensho.augment.bunsetsu import parser, reorder, variants, worth_parsing

SAMPLES = pd.DataFrame(
    {
        "id": ["1", "2", "3", "4"],
        "ja": [
            "彼は図書館で本を読んだ。",
            "犬が走る。",
            "トムは月曜日の朝に逮捕された。",
            "彼女は短い手紙を母に送った。",
        ],
        "en": ["a", "b", "c", "d"],
    }
)


def made(text: str) -> set[str]:
    return {new for new, _ in reorder(parser()(text))}


def test_all_orders_of_three_free_blocks():
    assert made("彼は図書館で本を読んだ。") == {
        "彼は本を図書館で読んだ。",
        "図書館で彼は本を読んだ。",
        "図書館で本を彼は読んだ。",
        "本を彼は図書館で読んだ。",
        "本を図書館で彼は読んだ。",
    }


def test_modifiers_stay_with_their_head():
    assert made("彼は赤い自転車を持っている。") == {"赤い自転車を彼は持っている。"}


def test_clauses_are_barriers():
    orders = made("嵐が去ったので、彼は庭で花を植えた。")
    assert len(orders) == 5
    assert all(text.startswith("嵐が去ったので、") for text in orders)


@pytest.mark.parametrize(
    "text",
    [
        "彼は「花を見に行く」と母に言った。",
        "彼は世話をした。",  # 世話をする is one expression
        "私には行くことがある。",
        "彼が私が好きだと言う。",
        "彼は走る。犬は庭で骨を食べる。",
        "象は鼻が長い。",
    ],
)
def test_nothing_moves(text):
    assert not worth_parsing(text) or not made(text)


def test_coordination_is_not_suggested():
    assert "スイスとドイツは隣接している。" not in made("ドイツはスイスと隣接している。")


def test_no_character_is_lost_and_commas_stay_inside():
    for text in ["最近、彼は庭で花を育てている。", "3年前の冬、僕は駅で彼女に会った。"]:
        assert made(text)
        for new in made(text):
            assert sorted(new) == sorted(text)
            assert not new.startswith("、")
            assert "、、" not in new
            assert new.endswith(text[-4:])  # the predicate stays last


def test_operation_rebuilds_the_variant():
    table = variants(SAMPLES, seed=5, per_sample=2, probability=1.0)
    assert set(table.parent) == {"1", "3", "4"}
    assert table.groupby("parent").size().max() == 2
    for row in table.itertuples():
        done = json.loads(row.operation)
        assert row.ja.startswith("".join(done["blocks"][i] for i in done["order"]))
        assert sorted(done["order"]) == list(range(len(done["blocks"])))
        assert done["order"] != sorted(done["order"])


def test_other_rows_and_their_order_change_nothing():
    whole = variants(SAMPLES, seed=5, per_sample=2, probability=1.0).set_index("id")
    part = variants(SAMPLES.iloc[[3, 0]], seed=5, per_sample=2, probability=1.0).set_index("id")
    pd.testing.assert_frame_equal(part.sort_index(), whole.loc[sorted(part.index)])


def test_limit_takes_the_first_of_the_seeded_order():
    whole = variants(SAMPLES, seed=5, per_sample=2, probability=1.0)
    pd.testing.assert_frame_equal(
        variants(SAMPLES, seed=5, per_sample=2, probability=1.0, limit=3), whole.head(3)
    )
    assert variants(SAMPLES, seed=5, per_sample=2, probability=0.0).empty
