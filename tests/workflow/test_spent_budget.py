"""The workflow with a price list and a past: what a spent budget leaves of a run."""

import re
from datetime import UTC, datetime

import pytest
from kensho.run import events
from planning import ARMS, CONFIG, TESTED, TRAININGS, adapted, copied, snakemake

PRICED = ["--configfile", "priced.yaml"]
LIMIT = CONFIG["budget"]["limit_usd"]


@pytest.fixture
def copy(tmp_path):
    """The workflow's code and a price of cores."""
    (tmp_path / "priced.yaml").write_text("budget: {prices: {core: 1.0}}\n")
    return copied(tmp_path)


def demote(folder, name):
    """The claim of that name is no priority."""
    file = folder / "config/claims/main.yaml"
    text = file.read_text(encoding="utf-8")
    before, mark, claim = text.partition(f"- id: {name}\n")
    file.write_text(before + mark + claim.replace("  priority: true\n", "", 1), encoding="utf-8")


def spend(folder, share):
    """As if so much of the limit was spent on one training."""
    at, hours = datetime(2026, 3, 11, tzinfo=UTC), share * LIMIT
    arm = {"arm": "full", "number": "1", "stage": "sft", "seed": "1"}
    held = events.Held(cores=1)
    spent = events.Event("finished", at, "a", "train_stage", arm, held=held, seconds=3600 * hours)
    events.append(spent, folder / events.LOG)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.89, 0.9, 1.0])
def test_a_spent_budget_shrinks_the_plan_to_the_priority_claims(copy, share):
    spend(copy, share)
    demote(copy, "R-5.memory")
    done = snakemake(copy, "-n", *PRICED)
    assert done.returncode == 0, done.stdout
    arms = set(re.findall(r"wildcards: arm=([\w-]+), number", done.stdout))
    judged = {name for name in re.findall(r"results/analysis/([\w.-]+)\.json", done.stdout)}
    priority = {name for name in adapted() if TESTED[name].get("priority")} - {"R-5.memory"}
    assert adapted() > priority > set()
    kept = {0.89: adapted(), 0.9: priority, 1.0: set()}[share]
    assert judged & adapted() == kept
    needed = {arm for arm in ARMS if adapted(arm) & kept}
    assert arms == ({*ARMS} if share == 0.89 else needed)


def test_a_job_that_costs_money_is_refused_in_one_line(copy):
    spend(copy, 1.0)
    target = "results/sources/tatoeba-japanese-english/record.json"
    done = snakemake(copy, *PRICED, "--", target)
    assert done.returncode != 0
    assert re.search(
        rf"rule fetch \S+ failed: budget\.limit_usd: {LIMIT:g}\.\d\d of {LIMIT:g} USD", done.stdout
    )
    assert not (copy / target).exists()
    assert {e.rule for e in events.read(copy / events.LOG, "finished")} == {"train_stage"}


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("jobs.jsonl", "[]\n", "logs/jobs.jsonl, line 1: not an event"),
        ("ledger.tsv", "", "logs/ledger.tsv: holds what an earlier version spent"),
    ],
)
def test_a_past_that_cannot_be_counted_is_a_problem_before_anything_runs(
    copy, file, content, problem
):
    (copy / "logs").mkdir()
    (copy / "logs" / file).write_text(content)
    done = snakemake(copy, "-n", *PRICED)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert problem in done.stdout


@pytest.mark.slow
def test_budget_estimates_every_target_and_runs_none(copy):
    spend(copy, 0.1)
    done = snakemake(copy, *PRICED, "--", "budget")
    assert done.returncode == 0, done.stdout
    rows = re.findall(r"^train_stage +(\d+) +(\S+) +(\S+) +(\S+)$", done.stdout, re.M)
    usd = LIMIT / 10  # each takes as long as the one on record, one core for an hour is a dollar
    found = [tuple(map(float, row)) for row in rows]
    assert (TRAININGS, 3600 * usd, 0, TRAININGS * usd) in found
    for rule in ("evaluate", "report"):
        assert re.search(rf"^{rule} +\d+ +[\d.]+ .* foreseen$", done.stdout, re.M)
    main_job = done.stdout[done.stdout.index("\nall\n") :].split("\n\n")[0]
    assert "report " in main_job and "at most" not in main_job  # each rule's own figure, no limit
    assert re.search(r"^strategy +1 ", done.stdout, re.M)  # a target and a job of its own
    assert "unknown" not in done.stdout
    assert {"all", "benchmark", "jlce"} <= set(done.stdout.splitlines())
    assert not list(copy.glob("results/**/*.csv"))
