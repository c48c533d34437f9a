"""Missing arguments by case, and the person that an English side gives."""

import pytest
from kensho.augment.parsing import parser
from kensho.linguistics.zero_pronouns import gaps, person


def missing(text, english=None):
    return [(one.case, one.predicate, one.person) for one in gaps(parser()(text), english)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("昨日は学校へ行った。", [("ga", "行く", None)]),
        ("彼が学校へ行った。", []),
        ("彼は学校へ行った。", []),  # a topic counts as the subject
        ("私が買った本は高い。", []),  # relative
        ("これは本だ。", []),  # a noun predicate
        ("彼が読んだ。", [("wo", "読む", None)]),
        ("手紙を送った。", [("ga", "送る", None), ("ni", "送る", None)]),
    ],
)
def test_missing_cases(text, expected):
    assert missing(text) == expected


def test_places_are_those_of_the_predicate():
    text = "昨日は学校へ行った。"
    (gap,) = gaps(parser()(text))
    assert text[gap.begin : gap.end] == "行っ"


def test_the_english_side_gives_the_person_of_a_subject_alone():
    assert missing("学校へ行った。", "We went to school.") == [("ga", "行く", 1)]
    assert missing("彼が読んだ。", "I know that he read it.") == [("wo", "読む", None)]
    assert [person(text) for text in ("You know.", "I think he knows.", "Go.")] == [2, None, None]


@pytest.mark.parametrize(
    ("english", "who"),
    [
        ("Please give it to me.", None), ("Do it.", None), ("Mother told you.", None),
        ("Take it easy.", None), ("World War I ended.", None), ("I think you know.", None),
        ("I saw it.", 1), ("We ate it and left.", 1), ("Do you like it?", 2), ("It rains.", 3),
        ("If you go, you will see it.", 2), ("You’ve done it.", 2), ("Is it raining?", 3),
    ],
)  # fmt: skip
def test_an_object_is_no_subject(english, who):
    assert person(english) == who
