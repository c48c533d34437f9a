"""The card of one claim, and the tables that set claims side by side."""

import re
from collections.abc import Callable

import pytest
from report_example import (
    EMPTY,
    card,
    claim,
    deterministic,
    empty,
    on_scale,
    paired,
    render,
    summary,
    text,
)

SCALES = {
    "ratio": [5.9, 6.6],
    "difference": [-0.06, 0.02],
    "share": [0.55, None],
    "dose": [2828.0, 5657.0],
}


def claims_on_every_scale() -> list[dict]:
    record = {"test": {"direction": "greater", "sesoi": 0.02, "levels": ["task", "item"]}}
    return [
        claim(f"X-{scale}", "PARTIAL", on_scale(scale), region=region, record=record, unit=scale)
        for scale, region in SCALES.items()
    ]


@pytest.fixture(scope="module")
def html() -> str:
    given = summary()
    return render({**given, "claims": given["claims"] + claims_on_every_scale()})


def test_figures_that_cannot_be_stand_out(html: str) -> None:
    finding = re.search(r'<p class="figures impossible">.*?</p>', html, re.DOTALL).group()
    assert "Impossible" in finding and "43.8 to 45.3 percent; printed is 49" in finding


def test_card_shows_what_decided(html: str) -> None:
    seen = card(html, "R-8.quick")
    for shown in (
        "[6.12, 6.33]",
        "corrected, family of 5 [6.07, 6.38]",
        "12 of at least 10",
        "p, Holm 8.40 × 10⁻¹⁷",
        "68 [40, 96]",
        "P(claimed region) 0.000",
        "mu ~ N(0, 0.5)",
        "R-hat 1.001",
        "✗ does not",
        "9f2c41d07ab3",
        "MAGNITUDE",
    ):
        assert shown in seen, shown
    assert 'href="benchmark_data/quick_mode/plain.csv"' in html


NULLED = [
    *("estimate", "interval", "interval_family", "interval_bootstrap", "p_value", "p_bonferroni"),
    *("p_holm", "variance", "leave_one_out", "schools_agree", "multiverse"),
]


@pytest.mark.parametrize("make", [deterministic, paired, lambda: on_scale("share")])
def test_what_the_engine_leaves_null_makes_no_text(make: Callable) -> None:
    analysis = make()
    cases = [{**analysis, key: None} for key in NULLED]
    cases += [{**analysis, "plots": {**analysis["plots"], key: None}} for key in analysis["plots"]]
    unsampled = ("power", "posterior", "diagnostics", "plots", "multiverse", "schools_agree")
    cases.append({**analysis, **{key: EMPTY[key] for key in unsampled}})
    claims = [claim(f"X-{i}", "INCONCLUSIVE", each) for i, each in enumerate(cases)]
    seen = text(render({"claims": claims}, **empty()))
    assert all(f"X-{i} " in seen for i in range(len(cases)))
    assert "None" not in seen and "nan" not in seen


@pytest.mark.parametrize("scale", SCALES)
def test_card_shows_how_sure_the_verdict_is(html: str, scale: str) -> None:
    seen = card(html, f"X-{scale}")
    for shown in (
        "How sure is this all checks passed · 67 % of 3 specifications agree · power 0.998",
        "Specification curve",
        "67 % of 3 other specifications give the same verdict",
        "Solid: 12 observed; dashed: 9 needed for power 0.8",
        "Largest deviation in data replicated by the model",
        "Ranks of the draws",
        "P(below the claimed region) 0.012 P(claimed region) 0.950",
        "P(a new unit in the region) 0.410",
        "TOST 2.31 11 0.021 Wilcoxon 8 – 4.88 × 10⁻⁴",
        "variance between units 0.0011",
        "smallest effect of interest 0.02",
        "primary (location: 1 · spread: 0.2)",
    ):
        assert shown in seen, shown
    assert ("Units in run order" in seen) == (scale != "dose")


def test_differences_carry_their_sign_and_shares_no_unit(html: str) -> None:
    assert "Estimate −0.030 points" in card(html, "X-difference")
    assert "Estimate 0.610 Claimed" in card(html, "X-share")
    claims = [claim("X-1", "FAILED", {**on_scale("difference"), "estimate": 0.005})]
    assert "Estimate +0.005 points" in card(render({"claims": claims}), "X-1")


def test_a_claim_changed_after_the_data_is_marked_in_card_and_summary(html: str) -> None:
    seen = card(html, "X-ratio")
    assert "Changed after the data." in seen
    assert "test.region: [1.8, 2.2] -&gt; [1.5, 2.5]" in seen
    assert html.count('class="tag changed"') == len(SCALES)
    page = render({"claims": [claim("X-1", "PARTIAL", paired())]})
    assert "as registered" in card(page, "X-1")
    assert 'class="notice"' not in page and 'class="tag changed"' not in page


def test_a_prior_that_turns_the_verdict_is_flagged() -> None:
    analysis = on_scale("ratio")
    analysis["posterior"]["prior_sensitivity"][1]["verdict"] = "FAILED"
    page = render({"claims": [claim("X-1", "PARTIAL", analysis)]})
    assert page.count('<td class="differs">FAILED</td>') == 1
    assert page.count('class="differs"') == 1


def rows_of(html: str, head: str) -> list[str]:
    table = html[html.index(f"<h3>{head}</h3>") :]
    return [text(row) for row in re.findall(r"<tr.*?</tr>", table.split("</table>")[0], re.DOTALL)]


def test_both_schools_stand_side_by_side(html: str) -> None:
    rows = rows_of(html, "Two schools")
    assert "R-8.quick [6.07, 6.38] outside 0.000 1.000 ✓ yes PARTIAL" in rows
    assert any(row.startswith("X-ratio [6.07, 6.33] inside 0.950") for row in rows)
    assert any(row.startswith("R-5.memory [1.80, 2.07] across") for row in rows)
    assert not any(row.startswith("R-1") for row in rows)


def test_multiplicity_shows_all_three_p_values_by_size(html: str) -> None:
    rows = rows_of(html, "Multiplicity")
    assert "R-8.quick main 5 2.10 × 10⁻¹⁷ 1.05 × 10⁻¹⁶ 8.40 × 10⁻¹⁷" in rows
    small, large = ({**paired(), "p_value": p} for p in (0.01, 0.3))
    page = render({"claims": [claim("X-1", "FAILED", large), claim("X-2", "FAILED", small)]})
    assert [row[:8] for row in rows_of(page, "Multiplicity")[1:]] == ["X-2 main", "X-1 main"]


def test_an_exact_claim_has_no_doubt_to_show(html: str) -> None:
    seen = card(html, "R-1")
    assert "How sure is this" not in seen and "smallest effect" not in seen


@pytest.mark.parametrize(
    "path", ["own/scores.csv", "お試し/結果 1.jsonl", "../elsewhere/samples_quiz_2026-05-01.jsonl"]
)
def test_the_card_names_the_tables_that_were_brought(path: str) -> None:
    brought = {"path": path, "sha256": "ab" * 32, "rows": 1234}
    page = render({"claims": [claim("X-1", "PARTIAL", {**paired(), "tables": [brought]})]})
    seen = card(page, "X-1")
    assert f"Tables that were brought {path} 1,234 rows" in seen and "ab" * 6 in seen
    assert "Tables that were brought" not in card(render(), "R-8.quick")


def test_a_grown_family_is_told_and_marks_nothing() -> None:
    kept = {"status": "as registered", "diff": [], "family_then": 2}
    analysis = {**paired(), "registration": kept}
    page = render({"claims": [claim("X-1", "PARTIAL", analysis)]})
    assert "family main, m = 5; 2 when registered" in card(page, "X-1")
    assert 'class="notice"' not in page and 'class="tag changed"' not in page
