"""The number that a written answer gives: the last one, or that of what says 答えは."""

import pytest
from kensho.jlce import metrics
from kensho.jlce.scoring import last_number, normalised

DIGITS = [  # what is a digit, and what only looks like one
    ("面積は10×5で50㎡です。", 50),
    ("体積は2×3×4で24㎥です。", 24),
    ("答えは25㎠。", 25),
    ("50m²です", 50),
    ("50m^2です", 50),
    ("50 cm2です", 50),
    ("12kgのCO2", 12),
    ("①12個", 12),
    ("③15個と②", 15),
    ("⑴8人", 8),
    ("㋀5日", 5),
    ("1️⃣12個", 12),
    ("答えは3です。①②③", 3),
    ("答えは１，２３４です。", 1234),
    ("１２．５％", 12.5),
    ("𝟏𝟐個", 12),
    ("答えは③です", None),
    ("答えは十二です", None),
    ("わかりません", None),
]
VALUES = [
    ("12,345,678円", 12345678),
    ("1,2,3の3つ", 3),
    ("3、4、5", 5),
    ("12.0", 12),
    ("1万2000円", 12000),
    ("12万円", 120000),
    ("1億2000万人", 1.2e8),
    ("3千5百円", 3500),
    ("10分の3です", 0.3),
    ("２と３分の１", 2 + 1 / 3),
    ("3/4です", 0.75),
    ("12/3=4", 4),
    ("½", 0.5),
    ("2½時間", 2.5),
    ("10³です", 1000),
    ("2^10です", 1024),
    ("割れない5/0", None),
    ("50%", 50),
    ("3〜5個", 5),
    ("3-5個", 5),
    ("2024年5月3日", 3),
    ("2024/5/3", 3),
    ("12時30分", 30),
]
SIGNS = [
    ("-2.5度", -2.5),
    ("答えは−3です", -3),
    ("答えは－３です", -3),
    ("答えはー3です", -3),
    ("x=-5", -5),
    ("マイナス5度", -5),
    ("▲120", -120),
    ("コーヒー3杯", 3),
    ("1000-780", 780),
    ("1000円-780円", 780),
    ("5ー3", 3),
]
STATED = [  # which of several numbers is the answer
    ("3個と4個なので、7個", 7),
    ("答えは12個です。3人で分けると4個ずつです。", 12),
    ("答え：12個（1人4個ずつ）", 12),
    ("合わせて12人（大人5人、子ども7人）", 12),
    ("(12)", 12),
    ("答えは3×4=12です。箱は5つあります。", 12),
    ("答えは10です。いや、答えは12です。", 12),
    ("答えは、まず3に4を足します。よって7です。", 7),
    ("**正解：220円**\n検算は780+220=1000", 220),
    ("The answer is 12. Each gets 4.", 12),
    ("#### 12", 12),
    (r"よって\boxed{1{,}234}円です。1人3個", 1234),
    (r"\(\frac{3}{4}\)", 0.75),
    (r"12 \times 5 = 60\%", 60),
    ("答えは3ではなく5です", 5),
    ("答えは5です。3ではありません。", 5),
    ("5ではないでしょうか", 5),
    ("3ではない", None),
    ("3ではないから5です", 5),
    ("5です。3ではないからです。", 5),
]


@pytest.mark.parametrize(("answer", "value"), DIGITS + VALUES + SIGNS + STATED)
def test_the_number_of_an_answer(answer, value):
    assert last_number(answer) == (value if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("面積は50㎡", 50, 1),
        ("①12個", 12, 1),
        ("3分の1です", 1 / 3, 1),
        ("10²", 102, 0),
        ("", 0, 0),
    ],
)
def test_the_task_takes_the_answer_as_it_was_written(answer, gold, right):
    assert metrics.number({"answer": gold}, [answer])["exact_match"] == right


@pytest.mark.parametrize(
    "answer", ["1" * 50_000, "答えは1を" * 9000, "(1" * 30_000, "1万" * 30_000]
)
def test_any_answer_is_read_in_time(answer):
    last_number(answer)


@pytest.mark.parametrize(
    ("one", "other"), [("10²", "102"), ("①12個", "112個"), ("2½", "21⁄2"), ("①②", "12")]
)
def test_comparable_forms_join_no_digits(one, other):
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("５０㎡", "50m2"), ("50㎡", "50m²"), ("①", "1"), ("ｶﾞﾗｽ", "ガラス"), ("㍿", "株式会社")],
)
def test_comparable_forms_are_those_of_nfkc(one, other):
    assert normalised(one) == normalised(other)
