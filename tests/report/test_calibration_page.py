"""The calibration page from real small tables."""

import re

import numpy as np
import pandas as pd
import pytest
from kensho.report import calibration
from report_example import Reader, text

META = {
    "size": "short",
    "engine": "a1b2c3d4e5f60718",
    "versions": {"pymc": "5.28.5"},
}


def even_ranks(n: int = 400) -> np.ndarray:
    return np.arange(n) * 100 // n


def tables() -> dict[str, pd.DataFrame]:
    inf = np.inf
    acceptance = [
        ("coverage", "paired ratio, centre", 0.9503, 0.945, 0.955, True),
        ("VERIFIED at an end", "paired ratio, lower", 0.0312, -inf, 0.029, False),
        ("coverage", "share, centre", 0.9481, 0.945, 0.955, True),
    ]
    characteristics = [
        ("paired ratio", "centre", 40, 20000, 0.9503, 0.81, 0.04, 0.0, 0.15),
        ("paired ratio", "null", 40, 20000, 0.9497, 0.0, 0.0, 0.98, 0.02),
        ("share", "lower", 388, 20000, 0.9481, 0.025, 0.0, 0.025, 0.95),
    ]
    biased = np.sort(even_ranks() ** 2 // 100)
    ranks = [("location", "mu", even_ranks()), ("location", "sigma", biased)]
    return {
        "acceptance": pd.DataFrame(
            acceptance, columns=["check", "subject", "value", "low", "high", "holds"]
        ),
        "characteristics": pd.DataFrame(
            characteristics,
            columns=["claim_type", "truth", "n", "replications", "coverage", *calibration.VERDICTS],
        ),
        "sbc": pd.DataFrame(
            [
                ("location", "mu", 0.41, 0.32, 0.55, True),
                ("location", "sigma", 2e-9, 0.0, 1e-7, False),
            ],
            columns=["model", "quantity", "ks_p", "chi2_p", "z2_p", "passes"],
        ),
        "ranks": pd.concat(
            pd.DataFrame({"model": model, "quantity": quantity, "rank": rank})
            for model, quantity, rank in ranks
        ),
        "coverage": pd.DataFrame(
            [("location", "centre", 500, 0.952, 0.978, True)],
            columns=["model", "truth", "replications", "coverage", "agreement", "holds"],
        ),
        "binary": pd.DataFrame(
            [
                ("location", 0.0, 300, 0.02, 0.03, 0.0, 0.06, True),
                ("location", 0.9, 80, 0.95, 0.7, 0.86, 1.0, False),
            ],
            columns=["model", "bin", "n", "mean_p", "share", "low", "high", "holds"],
        ),
        "mutants": pd.DataFrame(
            [
                ("none", "SBC of log_likelihood", 0.4, 0.0005, False),
                ("likelihood missing", "SBC of log_likelihood", 1e-26, 0.0005, True),
                ("prior scale 0.3", "SBC of sigma", 0.2, 0.0005, False),
            ],
            columns=["mutant", "check", "value", "limit", "killed"],
        ),
        "adversarial": pd.DataFrame(
            [("drift 6 %", 2000, 0.021, 0.035, True)],
            columns=["case", "replications", "wrong_verified", "limit", "holds"],
        ),
        "audit": pd.DataFrame(
            [("granularity", 448, 3, 2000, 0, 1280, 1.0, 0.64, True)],
            columns=["check", "n", "decimals", "replications", "false_alarms", "certain", "found",
                     "power", "holds"],
        ),
        "formula": pd.DataFrame(
            [("coverage", "numbers, 60 items", 0.951, 0.94, 0.985, True)],
            columns=["check", "subject", "value", "low", "high", "holds"],
        ),
        "metamorphic": pd.DataFrame(
            [("swap arms", "paired_log_ratio", True), ("swap arms", "win_rate", True)],
            columns=["relation", "design", "holds"],
        ),
    }  # fmt: skip


def section(html: str, key: str) -> str:
    return text(re.search(rf'<section id="{key}">.*?</section>', html, re.DOTALL).group())


def test_the_page_is_whole_and_loads_nothing() -> None:
    html = calibration.build(tables(), META)
    page = Reader(html)
    assert page.open == [] and len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link[0] == "#"} <= set(page.ids)
    assert page.loads == ["data:,"] and "<script" not in html
    assert not re.search(r"#0101[01]\d", html), "a placeholder colour was left"
    assert html == calibration.build(tables(), META)
    assert "a1b2c3d4e5f6 " in text(html)


def test_what_does_not_hold_is_counted_and_named_first() -> None:
    html = calibration.build(tables(), META)
    assert "12 of 16 lines hold" in text(html)
    broken = section(html, "broken")
    for line in (
        "VERIFIED at an end: paired ratio, lower · 0.0312 · […, 0.029]",
        "location: sigma · 2.00 × 10⁻⁹",
        "location: 0.9 · 80 · 0.950 · 0.700",
        "prior scale 0.3: SBC of sigma",
    ):
        assert line in broken, line
    assert "none, the engine as shipped" not in broken


def test_an_engine_without_fault_that_is_killed_does_not_hold() -> None:
    given = tables()
    given["mutants"].loc[0, "killed"] = True
    html = calibration.build(given, META)
    assert "none, the engine as shipped: SBC of log_likelihood" in section(html, "broken")


def test_a_line_without_an_answer_does_not_hold() -> None:
    given = tables()
    given["adversarial"]["holds"] = np.array([np.nan], dtype=object)
    assert "Bad data drift 6 %" in section(calibration.build(given, META), "broken")


@pytest.mark.parametrize("missing", [s.key for s in calibration.SECTIONS] + ["ranks"])
def test_any_table_may_be_missing_or_empty(missing: str) -> None:
    for given in ({**tables(), missing: tables()[missing].iloc[:0]}, tables()):
        if len(given[missing]):
            del given[missing]
        html = calibration.build(given, META)
        assert ("Not run." in html) == (missing != "ranks")
        if missing != "ranks":
            assert "Not run." in section(html, missing)


def test_nothing_run_claims_nothing() -> None:
    html = calibration.build({}, META)
    assert "Nothing was run" in text(html) and 'class="count failed"' in html
    assert html.count("Not run.") == len(calibration.SECTIONS) and "None" not in text(html)


def test_a_table_without_a_column_is_refused() -> None:
    given = {"sbc": tables()["sbc"].drop(columns="passes")}
    with pytest.raises(ValueError, match="calibration table sbc: column 'passes' is missing"):
        calibration.build(given, META)


def test_bars_have_the_shares_of_the_verdicts() -> None:
    html = calibration.build(tables(), META)
    bars = re.findall(r'<span class="shares">(.*?)</span>', html)
    drawn = re.findall(r'class="(\w+)" style="width:([\d.]+)%', bars[0])
    assert drawn == [("verified", "81.0"), ("partial", "4.0"), ("inconclusive", "15.0")]


def test_ranks_outside_the_band_are_seen() -> None:
    inside = calibration.rank_ecdf("m", "mu", even_ranks())
    outside = calibration.rank_ecdf("m", "mu", np.minimum(even_ranks() + 12, 99))
    assert "inside its band" in inside and "var(--series-1)" in inside
    assert "outside its band" in outside and "var(--series-2)" in outside


def test_bins_outside_their_band_are_open_dots() -> None:
    bins = tables()["binary"]
    assert "var(--series-2)" in calibration.reliability("m", bins)
    assert "var(--series-2)" not in calibration.reliability("m", bins.iloc[:1])


def test_truth_null_survives_the_file(tmp_path) -> None:
    paths = []
    for name, table in tables().items():
        paths.append(tmp_path / f"{name}.csv")
        table.to_csv(paths[-1], index=False)
    read = calibration.read(paths)
    assert read["characteristics"]["truth"].tolist() == ["centre", "null", "lower"]
    assert read["mutants"]["mutant"][0] == "none"
    assert calibration.build(read, META) == calibration.build(tables(), META)


def test_names_are_escaped() -> None:
    bad = "<script>alert(1)</script>"
    given = tables()
    for table in given.values():
        for column in table.select_dtypes(["object", "str"]):
            table[column] = bad + table[column].astype(str)
    html = calibration.build(given, {**META, "size": bad, "versions": {bad: bad}})
    assert "<script" not in html and "&lt;script&gt;" in html
