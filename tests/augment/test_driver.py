import pandas as pd
import pytest
from kensho.augment import COLUMNS
from kensho.augment.driver import OUTCOMES, quotas, select

ORIGINALS = pd.DataFrame(
    {
        "id": ["1", "2"],
        "ja": ["彼は図書館で本を読んだ。", "友達が明日ここに来る。"],
        "en": ["He read a book in the library.", "A friend comes here tomorrow."],
    }
)
TEST = pd.DataFrame(
    {"ja": ["彼女は公園で犬と散歩をした。"], "en": ["She walked her dog in the park."]}
)


def candidates(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "id": f"{parent}-{technique}-{k}",
                "parent": parent,
                "ja": ja,
                "en": "",
                "technique": technique,
                "operation": "{}",
            }
            for k, (parent, technique, ja) in enumerate(rows)
        ],
        columns=COLUMNS,
    )


def outcomes(counts: pd.DataFrame) -> dict:
    kept = counts[counts["count"] > 0]
    return {(r.technique, r.outcome): r.count for r in kept.itertuples(index=False)}


def run(table, target=10, seed=1, test=TEST, least_similarity=None):
    return select(
        table,
        ORIGINALS,
        test,
        target=target,
        seed=seed,
        threshold=0.7,
        least_similarity=least_similarity,
    )


def test_each_reason_for_a_drop_is_counted():
    augmented, counts = run(
        candidates(
            ("1", "a", "彼は図書館で、本を読んだ"),  # punctuation only
            ("1", "a", "友達が明日ここに来る。"),  # the other original
            ("1", "a", "彼女は公園で犬と散歩をした。"),  # a test sentence
            ("2", "a", "彼女は公園で犬と散歩をしました。"),  # near it
            ("2", "b", "友人が明日ここに来る。"),
            ("2", "b", "友人が明日ここに来る!"),  # the same again
        )
    )
    assert outcomes(counts) == {
        ("a", "unchanged"): 1,
        ("a", "duplicate"): 1,
        ("a", "test_leak"): 2,
        ("b", "duplicate"): 1,
        ("b", "kept"): 1,
    }
    assert augmented["technique"].tolist() == ["original", "original", "b"]
    assert list(augmented.columns) == COLUMNS
    assert augmented["parent"].tolist() == ["1", "2", "2"]
    assert len(counts) == 2 * len(OUTCOMES)


def test_what_drifted_is_dropped_and_leaves_room_for_its_like():
    table = candidates(
        ("1", "a", "彼は本を図書館で読んだ。"),
        ("2", "a", "彼は本を図書館で読んだ！"),
        ("2", "b", "友人が明日ここに来る。"),
        ("2", "b", "友人がここに来る。"),
    ).assign(similarity=["0.2999", "0.3000", "", "0.1"])
    augmented, counts = run(table, least_similarity=0.3)
    assert outcomes(counts) == {
        ("a", "meaning"): 1,
        ("a", "kept"): 1,
        ("b", "kept"): 1,
        ("b", "meaning"): 1,
    }
    assert set(augmented["ja"][2:]) == {"彼は本を図書館で読んだ！", "友人が明日ここに来る。"}
    assert counts["count"].sum() == len(table)
    with pytest.raises(ValueError, match="scored without a threshold"):
        run(table)


def test_what_nobody_writes_is_dropped_and_leaves_room_for_its_like():
    table = candidates(
        ("1", "a", "彼は本を図書館で読んだ。"),
        ("2", "a", "彼は本を図書館で読んだ！"),
        ("1", "a", "友人がを来る。"),
    ).assign(similarity=["0.9", "0.9", "0.1"], unattested=["が + を", "", "が + を"])
    augmented, counts = run(table, least_similarity=0.3)
    assert outcomes(counts) == {("a", "grammar"): 1, ("a", "kept"): 1, ("a", "meaning"): 1}
    assert augmented["ja"].tolist()[2:] == ["彼は本を図書館で読んだ！"]


def test_an_english_side_of_the_test_split_is_a_leak_and_an_empty_one_is_not():
    table = candidates(("1", "a", "彼は本を図書館で読んだ。"), ("2", "a", "友人が明日ここに来る。"))
    table["en"] = ["she walked HER dog in the park", ""]
    test = pd.concat([TEST, pd.DataFrame({"ja": ["猫が眠る。"], "en": [""]})])
    _, counts = run(table, test=test)
    assert outcomes(counts) == {("a", "test_leak"): 1, ("a", "kept"): 1}


def test_quotas_are_equal_and_what_is_left_goes_to_the_others():
    assert quotas({"a": 100, "b": 100, "c": 100}, 30) == {"a": 10, "b": 10, "c": 10}
    assert quotas({"a": 4, "b": 100, "c": 100}, 30) == {"a": 4, "b": 13, "c": 13}
    assert quotas({"a": 4, "b": 5, "c": 6}, 30) == {"a": 4, "b": 5, "c": 6}
    assert sum(quotas({"a": 100, "b": 100, "c": 100}, 31).values()) == 31


def test_surplus_keeps_every_parent_before_any_second_variant():
    table = candidates(
        *[("1", "a", f"第{k}章を読んだあとで彼は眠った。") for k in "一二三四"],
        ("2", "a", "友人が明日ここに来る。"),
    )
    for seed in range(5):
        augmented, counts = run(table, target=4, seed=seed)
        assert set(augmented["parent"][2:]) == {"1", "2"}
        assert outcomes(counts) == {("a", "surplus"): 3, ("a", "kept"): 2}


def test_row_order_of_the_candidates_does_not_matter():
    table = candidates(
        *[("1", t, f"第{k}章を{t}は読んだ。") for t in "ab" for k in "一二三四五六七"],
    )
    first, counts = run(table, target=8)
    second, recounted = run(table.sample(frac=1, random_state=0), target=8)
    pd.testing.assert_frame_equal(first, second)
    pd.testing.assert_frame_equal(counts, recounted)
    assert len(first) == 8


def test_no_candidate_at_all():
    augmented, counts = run(candidates())
    assert augmented["id"].tolist() == ["1", "2"]
    assert counts.empty


def test_errors_name_the_cause():
    with pytest.raises(ValueError, match="target 1 is below the 2 originals"):
        run(candidates(), target=1)
    with pytest.raises(ValueError, match="parent '9'"):
        run(candidates(("9", "a", "犬が走る。")))


def test_unfit_answers_are_counted_and_take_nobodys_place():
    table = candidates(
        ("1", "a", ""), ("2", "a", ""), ("1", "a", "友人が明日"), ("2", "a", "友人が明日")
    ).assign(unfit=["empty", "ja-en: not English", "unfinished", ""])
    augmented, counts = run(table)
    assert outcomes(counts) == {("a", "unfit"): 3, ("a", "kept"): 1}
    assert augmented["ja"].tolist()[2:] == ["友人が明日"]
