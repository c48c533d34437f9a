"""The report as a reader and a hostile file would meet it."""

import copy
import re

import pandas as pd
import pytest
from kensho.plan.verdicts import PAGES
from kensho.report.page import OPTIONAL, Tables, build
from report_example import EXECUTION, Reader, claim, empty, on_scale, render, summary, tables, text


@pytest.fixture(scope="module")
def html() -> str:
    return render()


def test_well_formed_with_unique_ids_and_every_claim_once(html: str) -> None:
    page = Reader(html)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {c["id"] for c in summary()["claims"]} <= set(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert all(
        f'"#{i}"' in html or f"(#{i})" in html
        for i in page.ids
        if i[:5] in ("strip", "block", "poste", "ranks", "ppc-X", "power", "multi")
    )


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    page = Reader(html)
    assert page.loads == ["data:,"]
    assert not re.search(r"@import|url\((?!#)", html)
    assert re.findall(r"https?://[^\s\"<]+", html) == ["https://arxiv.org/abs/2603.18037"]


def test_language_and_both_colour_schemes(html: str) -> None:
    assert '<html lang="en">' in html and 'lang="ja">検証' in html
    assert "prefers-color-scheme: dark" in html and "Noto Sans JP" in html
    assert not re.search(r"#0101[01]\d", html), "a placeholder colour of the plots was left"


def test_equal_inputs_give_equal_bytes(html: str) -> None:
    assert render() == html


def test_hostile_text_is_escaped_wherever_it_enters() -> None:
    bad = "<script>alert(1)</script>"
    given, frames = summary(), tables()
    given["claims"].append(claim("X-1", "PARTIAL", on_scale("share")))
    for entry in given["claims"]:
        for key in ("statement", "quantity", "reason", "sentence", "source", "unit"):
            entry[key] = bad
        entry["remarks"] = [bad]
        for row in (entry["analysis"] or {}).get("readings") or []:
            row["label"] = bad
        for row in (entry["analysis"] or {}).get("blocks") or []:
            row["block"] = bad
        for row in (entry["analysis"] or {}).get("observations") or []:
            row["file"] = "javascript:alert(1)"
    analysis = given["claims"][-1]["analysis"]
    for kind in ("tests", "blocks", "multiverse"):
        rows = analysis[kind]["specifications"] if kind == "multiverse" else analysis[kind]
        for row in rows:
            row |= {key: bad for key in ("name", "label", "block", "dof")}
    analysis["registration"] = {"status": bad, "diff": [bad], "family_then": None}
    analysis["plots"]["ppc"]["label"] = analysis["family"] = bad
    analysis["variance"] = {bad: bad}
    analysis["diagnostics"] |= {bad: bad}
    analysis["posterior"]["prior"] = {bad: bad}
    given["title"] = given["scale"] = bad
    for frame, column in (
        ("loss", "arm"),
        ("evaluation", "arm"),
        ("evaluation", "unit"),
        ("drops", "reason"),
        ("augmentation", "outcome"),
        ("gains", "arm"),
        ("kv_grid", "arm"),
    ):
        frames[frame][column] = bad + frames[frame][column]
    html = render(given, **frames)
    assert html.count("<script>") == 1 and "alert(1)</script" not in html
    assert "&lt;script&gt;" in html
    assert not any(link.startswith("javascript:") for link in Reader(html).links)


def test_untested_claims_give_their_reason_after_the_judged(html: str) -> None:
    seen = text(html)
    for entry in summary()["claims"]:
        if entry["verdict"] == "NOT TESTED":
            assert entry["sentence"] in seen
    assert html.index('<article class="card partial" id="R-8.quick"') < html.index('id="D-2"')


NOTHING_RAN = {"wall_seconds": None, "rules": []}


def test_untested_claims_are_counted_by_kind_of_reason() -> None:
    untested = [
        claim(name, "NOT TESTED", kinds=kinds, command=command)
        for name, kinds, command in (
            ("Y-1", ["closed model", "needs judge"], None),
            ("Y-2", ["needs judge"], "make it && judge"),
            ("Y-3", [], "snakemake benchmark"),
        )
    ]
    html = render({"claims": untested})
    rows = [
        [int(cell) for cell in re.findall(r'<td class="n">(\d+)</td>', row)]
        for kind in ("closed model", "needs judge", "left out of this run")
        for row in re.findall(rf'<tr><th scope="row">{kind}</th>.*?</tr>', html, re.DOTALL)
    ]
    assert rows == [[1, 0], [2, 1], [1, 1]]
    said = " ".join(html.split())
    assert "and 3 are not tested: a command would test 2 of these" in said
    assert "and 1 nobody but the source could test" in said


def test_an_untested_claim_and_empty_tables_still_make_a_page() -> None:
    given = {**summary(), "claims": [claim("X-1", "NOT TESTED")]}
    for key in OPTIONAL:
        given.pop(key, None)
    seen = text(build(given, NOTHING_RAN, tables=Tables(**empty())))
    assert "X-1" in seen and "No claim has an estimate yet." in seen
    assert "None" not in seen and "nan" not in seen


@pytest.mark.parametrize("left", [{}, empty(), {"drops": tables()["drops"]}])
def test_what_was_not_run_has_no_section(left: dict) -> None:
    page = Reader(build(summary(), NOTHING_RAN, tables=Tables(**left)))
    assert not {"adaptation", "cache", "gains"} & {*page.ids}
    assert ("data" in page.ids) == ("drops" in left and not left["drops"].empty)
    assert {link[1:] for link in page.links if link.startswith("#")} <= {*page.ids}


def test_repeated_ids_and_unknown_verdicts_are_refused_together() -> None:
    given = {"claims": [claim("X-1", "FAILED"), claim("X-1", "MAYBE")]}
    with pytest.raises(ValueError, match="X-1: the id is used twice; claim X-1: verdict 'MAYBE'"):
        render(given)


def test_a_cell_that_differs_from_the_closed_form_is_counted_and_marked() -> None:
    grid = tables()["kv_grid"]
    assert "closed form in all 80 cells" in text(render())
    grid.loc[3, "equal"] = False
    html = render(kv_grid=grid)
    assert "closed form in 79 of 80 cells" in text(html) and html.count('class="n differs"') == 1


def test_inputs_are_left_as_they_were() -> None:
    given, frames = summary(), tables()
    before, copies = (
        copy.deepcopy(given),
        {name: frame.copy() for name, frame in frames.items()},
    )
    render(given, **frames)
    assert given == before
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, copies[name])


def test_a_stale_claim_stands_apart_with_what_renews_it() -> None:
    stale = claim("X-2", "STALE", sentence="was VERIFIED; items: 2 -> 3", command="renew it")
    html = render({"claims": [*summary()["claims"], stale]})
    part = html[html.index('<section id="stale">') : html.index('<section id="untested">')]
    assert "was VERIFIED; items: 2 -&gt; 3" in part and "<code>renew it</code>" in part
    assert "1 STALE" in text(html) and 'id="stale"' not in render()


def test_other_pages_are_linked_where_they_are() -> None:
    links = Reader(render()).links
    assert "jlce.html" in links and "c.html" not in links and "do it makes it" in text(render())


def test_every_page_that_a_run_makes_has_a_title() -> None:
    there = {"there": True, "stale": None, "command": "x"}
    pages = [{"target": target, "href": path, **there} for target, path in PAGES.items()]
    page = build(summary(), EXECUTION, pages=pages)
    assert {*PAGES.values()} <= {*Reader(page).links}


def test_the_table_says_by_what_it_is_filtered(html: str) -> None:
    row = html[html.index('<tr data-claim="R-1"') :].split(">")[0]
    assert 'data-verdict="PARTIAL"' in row and "data-tier=" in row and "data-source=" in row
    assert re.findall(r'<select name="(\w+)"', html) == ["verdict", "tier", "source"]


def gained(page: str) -> str:
    return page[page.index('<section id="gains">') : page.index('<section id="methods">')]


def test_what_arms_of_a_study_gain_is_shown_and_called_stale_where_it_is(html: str) -> None:
    section = gained(html)
    rows = re.findall(r'<tr><td translate="no">pairs</td>.*?</tr>', section)
    repeat, eda, pivot, *candidates = rows
    cells = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", repeat)]
    assert cells[1:] == [
        *("100", "chrF of translation (higher is better)", "repeat", "5", "3.1 points"),
        *("1.25 [1.10, 1.42]", "–", "0"),
    ]
    assert "– <span" in eda and "a score of 0 has no ratio" in eda and "0.970 [0.950" in eda
    assert "3.4 nat/character" in pivot
    counts = [re.findall(r'<td class="n">(.*?)</td>', row) for row in candidates]
    assert counts == [["90", "1", "–"], ["20", "0", "3"]]
    assert "stale" not in section
    page = {"target": "augmentation_study", "href": "x", "there": True, "command": "renew it"}
    pages = [page | {"stale": "eda: alpha"}]
    stale = build(summary(), EXECUTION, pages=pages, tables=Tables(**tables()))
    assert "stale: eda: alpha" in gained(stale)
