import json

import pandas as pd
import pytest
from kensho.augment import study, variant_rows, variant_table

NOUNS = "犬猫鳥魚馬牛羊猿蛇虎兎鹿熊狼象鶴亀蛙蝶蜂"


def items(count, groups=None):
    texts = [
        f"{NOUNS[i % 20]}が{NOUNS[i // 20]}と{chr(0x4E00 + 53 * i)}で遊んだ。" for i in range(count)
    ]
    table = pd.DataFrame({"item": [f"x-{i}" for i in range(count)], "first": texts})
    table = table.assign(second="", en="", label="1", group=groups or "")
    return study.grouped(table)


def variants(parents, technique, per_parent=2):
    class Sample:
        def __init__(self, id):
            self.id, self.en = id, ""

    return variant_table(
        [
            row
            for parent in parents
            for row in variant_rows(
                Sample(f"{parent}-first"),
                technique,
                [(f"{technique}{parent}{k}", {}) for k in range(per_parent)],
            )
        ]
    )


def test_each_seed_tests_on_items_of_its_own_that_no_original_gives_away():
    groups = [f"image-{i // 7}" for i in range(200)]
    split = study.split(items(200, groups), seeds=4, tested=0.4, seed=1)
    assert split[split["fold"] >= 0].groupby("fold").size().tolist() == [20] * 4
    tested, pool = split[split["fold"] >= 0], study.pool(split)
    assert not set(tested["group"]) & set(pool["group"])
    assert 200 - len(split) < 7  # of one image at most
    again = study.split(items(200, groups), seeds=4, tested=0.4, seed=2)
    assert again["item"].tolist() != split["item"].tolist()


def test_near_duplicates_and_images_are_one_group_also_by_way_of_a_third():
    table = pd.DataFrame(
        {
            "item": list("abcd"),
            "first": [
                "彼は昨日東京へ行った。",
                "彼は昨日東京へ行った！",
                "猫が眠る。",
                "雨が降る。",
            ],
            "second": "",
            "group": ["", "7", "7", ""],
        }
    )
    a, b, c, d = study.grouped(table)["group"]
    assert a == b == c != d


def test_items_whose_second_texts_are_near_duplicates_are_one_group():
    table = pd.DataFrame(
        {
            "item": list("abcd"),
            "first": ["犬が走る。", "猫が眠る。", "雨が降る。", "彼は昨日東京へ行った。"],
            "second": ["彼は昨日東京へ行った。", "彼は昨日東京へ行った！", "", ""],
            "group": ["1", "2", "3", "4"],
        }
    )
    a, b, c, d = study.grouped(table)["group"]
    assert a == b == d != c


def test_too_few_items_are_refused():
    with pytest.raises(ValueError, match=r"10 items are too few for 20 seeds; lower seeds"):
        study.split(items(10), seeds=20, tested=0.4, seed=1)


def test_every_arm_but_none_has_as_many_rows_and_the_same_originals():
    pool = items(60)
    drawn = study.draw(pool, 10, 2, seed=1, replicate=0)
    few = variants(drawn.originals["item"].head(3), "eda")
    rows = {arm: (train, new) for arm, train, new in study.arms(drawn, {"eda": few})}
    assert list(rows) == ["none", "repeat", "eda", "more-data"]
    assert [len(train) for train, _ in rows.values()] == [10, 30, 30, 30]
    assert [new for _, new in rows.values()] == [0, 0, 6, 20]
    for train, _ in rows.values():
        assert train["item"].head(10).tolist() == drawn.originals["item"].tolist()
    eda = rows["eda"][0]
    assert eda["first"].str.startswith("eda").sum() == 6
    assert eda["first"].iloc[10:13].str.endswith("0").all()  # first variants before second ones
    assert set(eda["label"]) == {"1"}
    assert not set(rows["more-data"][0]["item"].tail(20)) & set(drawn.originals["item"])


def test_sizes_are_nested_and_replicates_differ():
    pool = items(60)
    small, large = (study.draw(pool, n, 2, seed=1, replicate=0) for n in (10, 20))
    assert large.originals["item"].head(10).tolist() == small.originals["item"].tolist()
    other = study.draw(pool, 10, 2, seed=1, replicate=1)
    assert other.originals["item"].tolist() != small.originals["item"].tolist()
    assert "more-data" not in [
        arm for arm, *_ in study.arms(study.draw(pool, 30, 2, seed=1, replicate=0), {})
    ]
    assert study.draw(pool, 61, 2, seed=1, replicate=0) is None


def test_of_a_pair_both_texts_are_varied_where_both_can_be():
    pairs = items(2).assign(second=["空が青い。", "海が広い。"])
    made = variants(["x-0", "x-1"], "eda", 1)
    second = made[made["parent"] == "x-0-first"].assign(parent="x-0-second", ja="空は青い。")
    (once,) = study.varied(pairs, pd.concat([made, second]))
    assert once["second"].tolist() == ["空は青い。", "海が広い。"]
    assert once["first"].str.startswith("eda").all()


def test_what_tests_hold_is_no_variant_and_outcomes_add_up():
    split = study.split(items(100), seeds=2, tested=0.4, seed=1)
    pool, tested = study.pool(split), split[split["fold"] >= 0]
    made = variants(pool["item"].head(4), "eda", 1)
    made.loc[0, "ja"] = tested["first"].iloc[5]
    made.loc[1, "ja"] = pool["first"].iloc[1]
    kept, outcomes = study.kept(made, split, seed=1)
    assert (outcomes["test_leak"], outcomes["unchanged"], outcomes["kept"]) == (1, 1, 2)
    assert sum(outcomes.values()) == len(made)
    assert sorted(kept["ja"]) == sorted(made["ja"].iloc[2:])


def test_techniques_take_turns_in_leading():
    parents = [f"x-{i}" for i in range(40)]
    both = study.combined([variants(parents, "eda"), variants(parents, "bunsetsu")])
    assert len(both) == 160
    first = both.groupby("parent")["technique"].first()
    assert 10 < (first == "eda").sum() < 30
    for _, own in both.groupby("parent"):
        assert own["technique"].tolist() in (["eda", "bunsetsu"] * 2, ["bunsetsu", "eda"] * 2)


def test_what_two_techniques_make_alike_is_in_the_combined_arm_once():
    one, other = variants(["x-0"], "eda"), variants(["x-0"], "bunsetsu")
    other.loc[0, "ja"] = one.loc[0, "ja"] + "。"
    assert len(study.combined([one, other])) == 3


FORMS = {
    "keico": "本文,Level,尊敬語\nお茶です。,3,0\n,2,1\n行くよ。,4,0\nお茶です。,3,0\n",
    "jnli": "".join(
        json.dumps(
            {"yjcaptions_id": f"{i}-1-2", "sentence1": s, "sentence2": "空。", "label": "neutral"}
        )
        + "\n"
        for i, s in enumerate(["犬。", "", "猫。", "犬。"])
    ),
    "jcola-train": "".join(
        json.dumps({"sentence": s, "label": 1}) + "\n" for s in ["犬が。", "", "猫が。", "犬が。"]
    ),
}


@pytest.mark.parametrize("task", study.TASKS)
def test_tasks_are_read_in_their_form_and_what_is_left_out_is_counted(task, tmp_path):
    path = tmp_path / "data"
    path.write_text(FORMS[task], encoding="utf-8")
    table, left_out = study.read(task, path)
    assert (len(table), left_out) == (2, 2)
    path.write_text(FORMS[task].replace("Level", "Lvl").replace("label", "lbl"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"data: row 1 is not one of .*delete the file"):
        study.read(task, path)


def test_what_is_read_of_a_task_is_an_item_or_counted_among_what_fell(tmp_path):
    """Two images of four pairs: the first has the tests, and its other two pairs fall."""
    texts = [*items(8)["first"], "", items(1)["first"].item()]
    rows = [
        {"yjcaptions_id": f"{i // 4}-a", "sentence1": text, "sentence2": "", "label": "neutral"}
        for i, text in enumerate(texts)
    ]
    path = tmp_path / "data"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made, counts = study.labelled("jnli", path, seeds=2, tested=0.25, seed=1)
    assert sorted(made["fold"]) == [-1] * 4 + [0, 1]
    assert counts == {"read": 10, "empty or repeated": 2, "divided": 2}


SPOILT = {
    "keico": ["本文,Level\n犬が走る。\n"],
    "jnli": [
        '["犬"]\n',
        '{"yjcaptions_id": "1-a", "sentence1": null, "sentence2": "猫。", "label": "x"}\n',
    ],
    "jcola-train": [
        '"犬が走る。"\n',
        '{"sentence": null, "label": 1}\n',
        '{"sentence": "犬。", "label": null}\n',
    ],
}


@pytest.mark.parametrize(("task", "row"), [(t, row) for t, rows in SPOILT.items() for row in rows])
def test_a_row_without_its_text_or_label_is_named(task, row, tmp_path):
    path = tmp_path / "data"
    path.write_text(row, encoding="utf-8")
    with pytest.raises(ValueError, match=r"data: row 1 is not one of .*delete the file"):
        study.read(task, path)
