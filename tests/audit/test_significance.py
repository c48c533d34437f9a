"""p values, intervals and effect sizes, against scipy on data."""

import numpy as np
import pytest
from kensho.audit.printed import Word, exact, printed
from kensho.audit.significance import d_of_t, p_of_interval, p_value, symmetric
from scipy import stats

POSSIBLE, WRONG = Word.CONSISTENT, Word.IMPOSSIBLE


@pytest.mark.parametrize("items", [8, 40])
def test_what_a_t_test_of_data_prints_belongs_together(items):
    rng = np.random.default_rng(items)
    for _ in range(50):
        x = rng.normal(0.4, 1, items)
        test = stats.ttest_1samp(x, 0)
        low, high = test.confidence_interval()
        p, t = f"{test.pvalue:.3f}", printed(f"{test.statistic:.2f}")
        ends = printed(f"{low:.2f}"), printed(f"{high:.2f}")
        effect = printed(f"{x.mean() / x.std(ddof=1):.2f}")
        assert p_value(p, t, "t", exact(items - 1)).word == POSSIBLE
        assert p_of_interval(p, *ends).word == POSSIBLE
        assert symmetric(printed(f"{x.mean():.2f}"), *ends).word == POSSIBLE
        assert d_of_t(effect, t, items).word == POSSIBLE


@pytest.mark.parametrize(
    ("p", "statistic", "test", "df", "word"),
    [
        (".036", "2.20", "t", (28,), POSSIBLE),
        (".018", "2.20", "t", (28,), POSSIBLE),  # one-sided
        (".030", "2.20", "t", (28,), WRONG),
        ("< .05", "2.20", "t", (28,), POSSIBLE),
        ("< .01", "2.20", "t", (28,), WRONG),
        ("> .05", "2.20", "t", (28,), POSSIBLE),  # of the lower tail
        (".042", "4.5", "F", (1, 30), POSSIBLE),
        (".02", "4.5", "F", (1, 30), WRONG),
        (".05", "1.96", "z", (), POSSIBLE),
        (".049", "3.87", "chi2", (1,), POSSIBLE),
        (".002", "-0.40", "r", (55,), POSSIBLE),
        (".2", "1.3", "r", (55,), WRONG),
        (".2", "-1.3", "chi2", (1,), WRONG),
        (".03", "2.20", "t", (), Word.NOT_CHECKABLE),
    ],
)
def test_p_and_statistic(p, statistic, test, df, word):
    assert p_value(p, printed(statistic), test, *map(exact, df)).word == word


def test_what_is_said_of_the_tails_counts():
    for p, tails, word in ((".018", 2, WRONG), (".036", 1, WRONG), ("> .05", 2, WRONG)):
        assert p_value(p, printed("2.20"), "t", exact(28), tails=tails).word == word


@pytest.mark.parametrize(
    ("p", "low", "high", "word"),
    [
        ("0.20", "0.1", "0.4", WRONG),
        ("0.03", "-0.1", "0.4", WRONG),
        ("< 0.05", "-0.1", "0.4", WRONG),
        ("0.03", "0.1", "0.4", POSSIBLE),
        ("0.05", "0.0", "0.4", POSSIBLE),
        ("0.03", "0.4", "0.1", WRONG),
    ],
)
def test_p_and_interval(p, low, high, word):
    assert p_of_interval(p, printed(low), printed(high)).word == word


@pytest.mark.parametrize(
    ("numbers", "axis", "word"),
    [
        (("0.25", "0.10", "0.40"), "linear", POSSIBLE),
        (("0.30", "0.10", "0.40"), "linear", WRONG),
        (("2.00", "1.00", "4.00"), "log", POSSIBLE),
        (("2.50", "1.00", "4.00"), "log", WRONG),
        (("2.5", "0.0", "4.0"), "log", Word.NOT_CHECKABLE),
    ],
)
def test_symmetry(numbers, axis, word):
    assert symmetric(*map(printed, numbers), axis).word == word


def test_d_of_two_samples():
    assert d_of_t(printed("0.40"), printed("2.00"), 50, 50).word == POSSIBLE
    assert d_of_t(printed("0.60"), printed("2.00"), 50, 50).word == WRONG
    assert d_of_t(printed("-0.40"), printed("2.00"), 50, 50).word == WRONG


@pytest.mark.parametrize(
    ("p", "word"),
    [("< .001", Word.CONSISTENT), ("p<0.001", Word.CONSISTENT), ("＜0.001", Word.CONSISTENT),
     ("&lt; 0.001", Word.CONSISTENT), ("≤ 0.001**", Word.CONSISTENT), ("p = .04", Word.IMPOSSIBLE),
     ("> .05", Word.IMPOSSIBLE), ("2 × 10⁻⁶", Word.CONSISTENT), ("4e-5", Word.IMPOSSIBLE)],
)  # fmt: skip
def test_forms_in_which_p_is_printed(p, word):
    assert p_value(p, printed("5.0"), "t", exact(99), tails=2).word == word


@pytest.mark.parametrize(("p", "df"), [("1.2", 9), ("", 9), ("n.s.", 9), ("0.03", 0)])
def test_what_is_no_p_and_no_freedom_is_refused(p, df):
    with pytest.raises(ValueError, match=r"is no p|no printed number|fewer than 1"):
        p_value(p, printed("2.0"), "t", exact(df))


@pytest.mark.parametrize(
    ("p", "statistic", "test", "df", "word"),
    [
        (".0416", "2.200", "t", ("17.5",), POSSIBLE),  # of 17.45
        (".0416", "2.200", "t", ("17.500",), WRONG),
        (".0412", "2.200", "t", ("18.0",), POSSIBLE),
        (".0412", "2.200", "t", ("18",), WRONG),  # printed whole it is a count
        (".0258", "4.31", "F", ("1.62", "48.7"), POSSIBLE),
        (".05", "4.31", "F", ("1.62", "48.7"), WRONG),
    ],
)
def test_degrees_of_freedom_with_decimals_were_rounded(p, statistic, test, df, word):
    assert p_value(p, printed(statistic), test, *map(printed, df), tails=2).word == word
