"""What attempts cost, killed ones too; the limit; the estimate."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from kensho.claims import registry
from kensho.report import inputs
from kensho.report.page import Tables, build
from kensho.run import budget
from kensho.run.budget import Budget, Foreseen, Prices
from kensho.run.events import Event, Held
from kensho.stats.summary import Judged, summarise
from scripts.budget.job_counts import dry_run, job_stats

ROOT = Path(__file__).parents[1]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
GPU = Held(16, 1, "rocm")
PRICES = Prices(rocm=4.0, core=0.05)


def line(event, seconds, *, attempt="a", job="train full 1", held=GPU, minute=0):
    """An event, so many minutes after noon; the seconds of a start are the job's time limit."""
    rule, *values = job.split(" ")
    took = {"limit_s" if event == "started" else "seconds": seconds}
    wildcards = dict(enumerate(values))
    return Event(
        event, NOON + timedelta(minutes=minute), attempt, rule, wildcards, held=held, **took
    )


def hours(count, **given):
    """The line of an attempt that took so many hours."""
    return line("finished", 3600.0 * count, **given)


# --- what was spent


def test_accelerators_cost_their_hours_and_other_jobs_their_cores():
    lines = [hours(2), hours(0.5, attempt="b", job="judge R-1", held=Held(8))]
    assert budget.spent(lines, PRICES) == pytest.approx(2 * 4.0 + 0.5 * 8 * 0.05)
    assert budget.spent(lines, Prices(cuda=9.0)) == 0.0


def test_each_attempt_counts_once_and_failed_ones_too():
    lines = [
        line("started", 7200.0),
        line("failed", 1800.0),
        line("started", 7200.0, attempt="b", minute=31),
        line("finished", 3600.0, attempt="b", minute=91),
    ]
    assert budget.spent(lines, PRICES, NOON + timedelta(days=9)) == pytest.approx(1.5 * 4.0)


def test_an_attempt_without_an_end_counts_until_now_its_limit_or_the_next_one():
    def charged(*lines, minute):
        now = NOON + timedelta(minutes=minute)
        return [round(each.seconds / 60) for each in budget.attempts(lines, now)]

    killed = line("started", 3600.0)
    other = line("started", 3600.0, attempt="b", job="train full 2", minute=10)
    again = line("started", 3600.0, attempt="c", minute=20)
    ended = line("finished", 300.0, attempt="c", minute=25)
    assert charged(killed, minute=15) == [15]
    assert charged(killed, minute=500) == [60]
    assert charged(killed, other, minute=30) == [30, 20]
    assert charged(killed, again, ended, minute=500) == [5, 20]
    assert charged(killed, minute=-5) == [0]  # another node's clock


def test_an_attempt_without_a_limit_is_charged_an_hour_at_most():
    [killed] = budget.attempts([line("started", None)], NOON + timedelta(days=1))
    assert killed.seconds == budget.UNLIMITED_S


def test_what_an_earlier_version_counted_is_not_forgotten_where_money_counts(tmp_path):
    ledger = tmp_path / "ledger.tsv"
    assert budget.uncounted(PRICES, ledger) == []
    ledger.touch()
    assert budget.uncounted(Prices(), ledger) == []
    [refused] = budget.uncounted(PRICES, ledger)
    assert "ledger.tsv" in refused and "lower budget.limit_usd by it" in refused


# --- the limit


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "whole"), (0.89, "whole"), (0.9, "priority"), (0.99, "priority"), (1, "closed")],
)
def test_stages_of_a_budget(share, expected):
    assert budget.stage(80.0 * share, 80.0) == expected


@pytest.mark.parametrize(
    ("share", "planned", "refused"),
    [
        (0.89, "whole", None),
        (0.9, "whole", "same command again, which goes on with the priority claims"),
        (0.9, "priority", None),
        (1.0, "whole", "nothing that costs money starts"),
        (1.0, "priority", "nothing that costs money starts"),
        (1.0, "closed", "nothing that costs money starts"),
    ],
)
def test_a_job_that_costs_money_starts_only_while_there_is_some(share, planned, refused):
    lines = [hours(share * 20)]  # of 20 hours that 80 USD pay for
    settings = Budget(prices=PRICES)
    budget.admit(Held(4, 1, "cuda"), settings, lines, planned)  # has no price
    if refused is None:
        return budget.admit(GPU, settings, lines, planned)
    with pytest.raises(ValueError, match=rf"^budget\.limit_usd: .*{refused}") as caught:
        budget.admit(GPU, settings, lines, planned)
    assert "\n" not in str(caught.value) and "raise it" in str(caught.value)


def test_what_is_left_out_is_neither_observed_nor_of_priority():
    claims = [claim for claim in registry.load(ROOT / "config/claims") if claim.test]

    def left(at, observed=()):
        return set(budget.left_out(claims, at, lambda claim: claim.id in observed))

    every, kept = {claim.id for claim in claims}, {c.id for c in claims if c.priority}
    assert {"R-1", "R-5.memory", "R-7.paper"} <= kept and "R-8.quick" in every - kept
    assert left("whole") == set()
    assert left("priority") == every - kept
    assert left("priority", {"R-8.quick"}) == every - kept - {"R-8.quick"}
    assert left("closed") == every
    assert left("closed", {"R-1", "R-8.quick"}) == every - {"R-1", "R-8.quick"}


def test_the_reason_names_the_key_and_stays_the_same_while_money_is_spent():
    reason = budget.reason("priority", 80.0)
    assert reason == "left out: 90 % of budget.limit_usd (80 USD) is spent; raise it and run again"
    assert "90 %" not in budget.reason("closed", 80.0)


def test_jobs_inherit_the_plan_of_their_head():
    plan = {"stage": "priority", "left_out": ["R-6"], "arms": ["base"]}
    text = '{"stage": "priority", "left_out": ["R-6"], "arms": ["base"]}'
    assert budget.inherited({budget.VARIABLE: text}) == plan
    assert budget.inherited({})["stage"] == "whole"


# --- the report


SUMMARY = {
    "claims": [
        {"id": "R-1", "analysis": {}, "sentence": "holds"},
        {"id": "R-6", "analysis": None, "sentence": budget.reason("priority", 80.0)},
        {"id": "R-4", "analysis": None, "sentence": "needs accelerator: rocm"},
    ]
}
NOTHING_LEFT_OUT = {"claims": SUMMARY["claims"][:1]}


def test_the_report_shows_cost_only_where_there_is_some():
    settings = Budget(prices=PRICES)
    assert inputs.cost([], settings, NOTHING_LEFT_OUT) == {}
    past = [hours(1), line("failed", 1800.0, attempt="b")]
    assert inputs.cost(past, Budget(), NOTHING_LEFT_OUT) == {}
    found = inputs.cost(past, settings, SUMMARY)
    assert found["rules"] == [{"rule": "train", "attempts": 2, "seconds": 5400.0, "usd": 6.0}]
    assert (found["spent_usd"], found["limit_usd"]) == (6.0, 80.0)
    assert [claim["id"] for claim in found["left_out"]] == ["R-6"]


def test_another_price_changes_the_figures_and_nothing_else():
    cheap, dear = (
        inputs.cost([hours(1)], Budget(prices=Prices(rocm=price)), SUMMARY) for price in (2.0, 3.0)
    )
    assert (cheap.pop("spent_usd"), dear.pop("spent_usd")) == (2.0, 3.0)
    assert (cheap["rules"][0].pop("usd"), dear["rules"][0].pop("usd")) == (2.0, 3.0)
    assert cheap == dear


COLUMNS = {
    "evaluation": "arm seed metric n estimate low high unit difference "
    "difference_low difference_high",
    "loss": "arm seed step loss",
    "drops": "stage reason count",
    "augmentation": "technique outcome count",
    "kv_grid": "arm length batch dtype cache_bytes closed_form_bytes equal",
}


def page(**cost):
    """Text of a report without experiments."""
    tables = {name: pd.DataFrame(columns=names.split()) for name, names in COLUMNS.items()}
    summary = summarise([], Judged({}), scale="embedded", alpha=0.05)
    summary |= {"generated": "2026-03-11", "file": "statistical_summary.json"}
    return build(summary, {}, cost, tables=Tables(**tables))


def test_the_page_has_a_section_on_cost_only_where_there_is_some():
    assert 'id="cost"' not in page() and 'href="#cost"' not in page()
    rules = [{"rule": "train", "attempts": 2, "seconds": 5400.0, "usd": 6.0}]
    left_out = [{"id": "R-6", "reason": "left out: <b>"}]
    html = page(spent_usd=6.0, limit_usd=80.0, rules=rules, left_out=left_out)
    assert 'href="#cost"' in html and "6.00 of 80 USD are spent" in html
    assert '<td>train</td><td class="n">2</td><td class="n">1 h 30 min</td>' in html
    assert '<a href="#R-6">R-6</a>, left out: &lt;b&gt;' in html


# --- the estimate


def test_planned_jobs_cost_what_finished_ones_did():
    lines = [
        hours(1),
        hours(2, attempt="b"),
        line("failed", 9e9, attempt="c"),
        line("started", 9e9, attempt="d"),
        hours(1, attempt="e", job="judge R-1", held=Held(2)),
    ]
    rows = budget.estimate({"judge": 10, "medical": 1, "train": 9}, lines, PRICES, {})
    assert [row[:4] for row in rows] == [
        ("train", 9, 5400.0, 1.0), ("judge", 10, 3600.0, 0.0), ("medical", 1, None, None)
    ]  # fmt: skip
    assert [row.usd for row in rows] == [pytest.approx(54.0), pytest.approx(1.0), None]
    table = budget.as_table(rows, 55.5)
    assert re.search(r"^medical +1 +unknown", table, re.M)
    assert "55.00 USD, without 1 job(s) of unknown cost; 55.50 USD are left" in table
    assert "exceeds" not in table
    assert "exceeds what is left: raise budget.limit_usd" in budget.as_table(rows, 54.5)
    assert budget.as_table([], 80.0) == "nothing to run"


def test_a_rule_without_a_past_is_taken_as_foreseen():
    foreseen = {
        "train": Foreseen(9e9, 8, 9e9, False),
        "evaluate": Foreseen(1800.0, 2, 4.0, False),
        "gemm": Foreseen(3600.0, 1, 4.0, True),
    }
    jobs = {"train": 1, "evaluate": 3, "gemm": 1, "report": 1}
    table = budget.as_table(budget.estimate(jobs, [hours(1)], PRICES, foreseen), 80.0)
    assert re.search(r"^train +1 +3600\.0 +1\.0 +4\.00$", table, re.M)  # what was seen counts
    assert re.search(r"^evaluate +3 +1800\.0 +2\.0 +12\.00  foreseen$", table, re.M)
    assert re.search(r"^gemm +1 +3600\.0 +1\.0 +4\.00  foreseen, at most$", table, re.M)
    assert "20.00 USD, without 1 job(s) of unknown cost" in table


def test_jobs_of_another_scale_count_in_proportion_and_correct_rules_without_a_past():
    """Trainings took twice what was foreseen for them, then at half the size of now."""
    then = {"train": Foreseen(1800.0, 1, 2.0, False), "gemm": Foreseen(60.0, 1, 4.0, True)}
    foreseen = {
        "train": Foreseen(3600.0, 1, 4.0, False),
        "evaluate": Foreseen(600.0, 1, 1.0, False),
        "corpus": Foreseen(600.0, 0, 0.0, False),
        "gemm": Foreseen(3600.0, 1, 4.0, True),
    }
    past = [replace(hours(1), run="small"), replace(hours(9, job="gemm"), run="small")]
    rows = budget.estimate(dict.fromkeys(foreseen, 1), past, PRICES, foreseen, {"small": then})
    assert {row.rule: (row.seconds, row.usd, row.foreseen) for row in rows} == {
        "train": (7200.0, 8.0, "scaled by what is foreseen"),
        "evaluate": (1200.0, 2.0, "foreseen, corrected by what others took"),
        "corpus": (600.0, 0.0, "foreseen"),  # no device: nothing is known of its kind
        "gemm": (9 * 3600.0, 36.0, ""),  # limits are no forecast
    }


STATS = """Job stats:
job                    count
-------------------  -------
all                        1
judge_deterministic       12
total                     13

"""
DRY_RUN = f"""Building DAG of jobs...
{STATS}{STATS}This was a dry-run (flag -n).
"""


def test_planned_jobs_are_read_from_a_dry_run():
    assert job_stats(DRY_RUN) == {"all": 1, "judge_deterministic": 12}
    assert job_stats("Nothing to be done (all requested files are present and up to date).") == {}


def test_the_dry_run_keeps_profile_and_settings():
    given = ["python", "-m", "snakemake", "--profile", "local", "--configfile", "x", "--", "budget"]
    *kept, target = dry_run(given, "benchmark")
    assert kept[:7] == given[:7] and target == "benchmark" and kept.count("--") == 1
    assert {"--dry-run", "--nolock"} < set(kept) and "budget" not in kept
