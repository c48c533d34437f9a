"""Pages from what the engine really writes; a key under another name does not pass unseen."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from judged_results import CLOSED, SAMPLED, judged, summarised
from kensho.report.page import build
from kensho.stats.summary import Judged, summarise
from report_example import Reader, card, text

EXECUTION = {"wall_seconds": None, "rules": []}
NEW = "newname"
# Keys of an analysis that its page does not show; `verify` and the summary read them.
UNREAD = {"claim", "required_tier", "claim_sha256", "warmup_rows", "settings", "record"}
# Entries of these are listed on the page as they come, by their names.
LISTED = {"power", "variance", "posterior.prior", "diagnostics", "details.rank_probabilities"}
# Figures of a design that no page shows.
UNREAD_OF_DESIGNS = {
    "F-3": {"grid_argmax"},
    "F-5": {"judgements", "prompts", "strengths"},
    "F-6": {"effective_units", "group_sd"},
}


def places(value: object, at: tuple = ()) -> Iterator[tuple]:
    """The place of every key of nested mappings, once for all entries of a list."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*at, key)
            yield from places(below, (*at, key))
    elif isinstance(value, list):
        yield from dict.fromkeys(place for row in value for place in places(row, (*at, "*")))


def values(value: object, place: tuple) -> list:
    """What stands at a place, once for each entry of the lists on the way."""
    if not place:
        return [value]
    if isinstance(value, list):
        return [found for row in value for found in values(row, place[1:])]
    return values(value[place[0]], place[1:]) if place[0] in value else []


def renamed(value: object, place: tuple) -> object:
    """The value with another name for the key at a place; the order of keys stays."""
    first, *rest = place
    if isinstance(value, list):
        return [renamed(row, rest) for row in value]
    if first not in value:
        return value
    if rest:
        return {**value, first: renamed(value[first], rest)}
    return {NEW if key == first else key: below for key, below in value.items()}


def page(folder: Path, found: dict) -> str:
    """The page of judged claims, the same at any time."""
    return build({**summarised(folder, found), "generated": "2026-11-21T09:12+00:00"}, EXECUTION)


def fates(value: dict, make: Callable[[dict], str], unread: set[str]) -> dict[str, set[str]]:
    """What becomes of each key that holds anything, once it has another name.

    refused by an error with its name, listed on the page under the new one, unread, or lost: the
    page is another one and does not say why. What is below an unread key is left out.
    """
    whole, found = make(value), {}
    for place in places(value):
        below_unread = any(".".join(place[:end]) in unread for end in range(1, len(place)))
        if below_unread or all(x in (None, [], {}) for x in values(value, place)):
            continue
        try:
            html = make(renamed(value, place))
        except (KeyError, ValueError) as error:
            names = rf"\b({re.escape(place[-1])}|{NEW})\b"  # the new one where data are named
            assert re.search(names, str(error)), (place, error)
            fate = "refused"
        else:
            fate = "unread" if html == whole else "listed" if NEW in html else "lost"
        found.setdefault(fate, set()).add(".".join(place))
    return found


def fates_of(folder: Path, claim, analysis: dict) -> dict[str, set[str]]:
    return fates(analysis, lambda changed: page(folder, {claim.id: (claim, changed)}), UNREAD)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def closed(folder):
    return judged(folder, CLOSED)


def test_every_claim_has_its_place_on_the_page(folder, closed):
    html = page(folder, closed)
    reader = Reader(html)
    assert reader.open == [] and len(reader.ids) == len(set(reader.ids))
    assert "None" not in text(html) and "nan" not in text(html)
    reasons = {name: (a["verdict"], a["reason"]) for name, (_, a) in closed.items()}
    assert reasons["R-3"] == ("INCONCLUSIVE", "UNITS") and closed["R-3"][1]["posterior"] is None
    assert reasons["R-4"] == ("NOT TESTED", "UNDEFINED")
    for name, (claim, analysis) in closed.items():
        shown = card(html, name)
        assert analysis["verdict"] in shown and claim.statement in shown
    assert "needs eight accelerators" in card(html, "D-1")
    assert "a side has the mean 0" in card(html, "R-4")
    for file in closed["R-2"][1]["observations"]:
        assert f'href="{file["file"]}"' in html and file["sha256"][:12] in card(html, "R-2")
        assert (folder / file["file"]).is_file()


def test_no_key_of_an_analysis_passes_unseen_under_another_name(folder, closed):
    found = fates_of(folder, *closed["R-2"])
    assert found["unread"] == UNREAD and found.keys() == {"refused", "listed", "unread"}, found
    assert {place.rpartition(".")[0] for place in found["listed"]} <= LISTED
    assert {"interval_family", "observations", "multiverse"} <= found["refused"]


def test_what_the_page_takes_from_the_entry_is_refused_by_the_summary(closed):
    claim, analysis = closed["R-2"]
    for key in ("verdict", "reason", "sentence", "p_value"):
        changed = {claim.id: renamed(analysis, (key,))}
        with pytest.raises(KeyError, match=f"'{key}'"):
            summarise([claim], Judged(changed), scale="embedded", alpha=0.05)


def test_no_key_of_the_summary_passes_unseen_under_another_name(folder, closed):
    summary = summarised(folder, {"R-2": closed["R-2"]})
    unread = {"verdict_counts", "impossible_figures", "claims.*.record_sha256"}
    unread |= {"claims.*.audit.*.check", "claims.*.obstacles"}
    elsewhere = {"claims.*.analysis", "claims.*.record"}
    found = fates(summary, lambda changed: build(changed, EXECUTION), unread | elsewhere)
    assert found["unread"] == unread and found.keys() == {"refused", "listed", "unread"}, found
    listed = {place.rpartition(".")[0] for place in found["listed"]}
    assert listed <= {"family", "claims.*.scope"}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLED)
def test_no_key_of_a_sampled_design_passes_unseen(folder, name):
    [(claim, analysis)] = judged(folder, {name: SAMPLED[name]}).values()
    found = fates_of(folder, claim, analysis)
    own = {f"details.{key}" for key in UNREAD_OF_DESIGNS.get(name, ())}
    unread = {place for place in found["unread"] if not re.match(r"details\.\w+\.", place)}
    # Many units, and those of doses, are drawn without names; some designs show no details.
    unread -= {"blocks.*.block", "details"}
    assert unread == UNREAD | own and "lost" not in found, found
    assert {place.rpartition(".")[0] for place in found["listed"]} <= LISTED
