"""The workflow with a price list and a ledger: what a spent budget leaves of a run."""

import re
from datetime import UTC, datetime

import pytest
from kensho import budget
from planning import copied, snakemake

PRICED = ["--configfile", "priced.yaml"]


@pytest.fixture
def copy(tmp_path):
    """The workflow's code and a price of cores."""
    (tmp_path / "priced.yaml").write_text("budget: {prices: {core: 1.0}}\n")
    return copied(tmp_path)


def spend(folder, share):
    """As if so much of the limit was spent on one training."""
    at, hours = datetime(2026, 3, 11, tzinfo=UTC), share * 80
    held = budget.Held(cores=1)
    spent = budget.Line(at, "finished", "a", "train full 1", "17", held, 3600 * hours)
    budget.append(folder / "logs/ledger.tsv", spent)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.89, 0.9, 1.0])
def test_a_spent_budget_shrinks_the_plan_to_the_priority_claims(copy, share):
    spend(copy, share)
    done = snakemake(copy, "-n", *PRICED)
    assert done.returncode == 0, done.stdout
    # R-5.retention reads two arms; the third serves F-4.combined alone
    arms = set(re.findall(r"wildcards: arm=([\w-]+), seed", done.stdout))
    kept = {0.89: {"lora-r8", "full", "lora-r8-augmented"}, 0.9: {"lora-r8", "full"}, 1.0: set()}
    assert arms == kept[share]
    judged = {name for name in re.findall(r"results/analysis/([\w.-]+)\.json", done.stdout)}
    assert ("F-4.combined" in judged) == (share < 0.9)
    assert ("R-5.retention" in judged) == (share < 1)


def test_a_job_that_costs_money_is_refused_in_one_line(copy):
    spend(copy, 1.0)
    target = "results/sources/tatoeba-japanese-english/record.json"
    done = snakemake(copy, *PRICED, "--", target)
    assert done.returncode != 0
    assert re.search(r"rule fetch \S+ failed: budget\.limit_usd: 80\.\d\d of 80 USD", done.stdout)
    assert not (copy / target).exists()
    assert len(budget.read(copy / "logs/ledger.tsv")) == 1


def test_a_torn_ledger_is_a_problem_before_anything_runs(copy):
    (copy / "logs").mkdir()
    (copy / "logs/ledger.tsv").write_text("torn")
    done = snakemake(copy, "-n")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "logs/ledger.tsv, line 1: not a line of the ledger" in done.stdout


@pytest.mark.slow
def test_budget_estimates_every_target_and_runs_none(copy):
    spend(copy, 0.1)
    done = snakemake(copy, *PRICED, "--", "budget")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^train +9 +28800\.0 +0\.0 +72\.00$", done.stdout, re.M)
    assert re.search(r"^evaluate +\d+ +unknown", done.stdout, re.M)
    assert {"all", "benchmark", "jlce"} <= set(done.stdout.splitlines())
    assert not list(copy.glob("results/**/*.csv"))
