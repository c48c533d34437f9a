"""docs/claims.md in both languages, and what plans say of claims that they do not test."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from kensho.claims import registry
from kensho.claims.model import Obstacle
from kensho.plan import claims as page
from kensho.plan import judging
from kensho.plan.config import Config
from kensho.plan.plan import COMMAND
from kensho.report.markdown import in_japanese

ROOT = Path(__file__).parents[2]
CLAIMS = {claim.id: claim for claim in registry.load(ROOT / "config/claims")}


@pytest.fixture(scope="module", autouse=True)
def _in_the_repository():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module")
def plans():
    listed = [*CLAIMS.values()]
    return {
        scale: [page.plan_of(overlay, listed, fetched=fetched) for fetched in (False, True)]
        for scale, overlay in page.SCALES.items()
    }


def test_the_page_is_current():
    written = page.page()
    for path, text in ((page.PAGE, written), (page.JAPANESE, in_japanese(written))):
        assert path.read_text(encoding="utf-8") == text, f"{path} is out of date: `make config`"


def test_every_claim_has_a_row_and_no_statement_breaks_it():
    rows = [line for line in page.page().splitlines() if line.endswith(" |")]
    named = [line.split("|")[1].split()[0] for line in rows if line.count("|") > 5]
    assert {*CLAIMS} == {*named} - {"claim"}


def test_every_claim_is_tested_or_has_a_kind_at_every_scale(plans):
    for now, fetched in plans.values():
        for plan in (now, fetched):
            without = [name for name in CLAIMS if name not in plan.tested]
            assert all(plan.kinds[name] and plan.reasons[name] for name in without)


def test_kinds_say_what_a_scale_lacks(plans):
    embedded, later = plans["embedded"]
    full, _ = plans["full"]
    assert embedded.kinds["F-9.memory"] == [Obstacle.HARDWARE] and "F-9.memory" in full.tested
    assert embedded.kinds["F-4.eda"] == [Obstacle.DATA] and "F-4.eda" in later.tested
    assert later.kinds["F-4.backtranslation"] == [Obstacle.SETTINGS]
    assert {"F-4.backtranslation", "F-4.bert"} <= {*plans["full"][1].tested}
    assert page.cell(CLAIMS["F-4.eda"], embedded, later).endswith(page.FETCHED)
    assert page.FETCHED not in page.cell(CLAIMS["F-4.backtranslation"], embedded, later)


def test_what_awaits_tables_gives_the_recipe_as_its_command(plans):
    plan, _ = plans["embedded"]
    claim = CLAIMS["F-14.math"]
    assert plan.command("F-14.math") == f"{claim.recipe} && {COMMAND} own"
    assert not plan.brought


def test_without_a_judge_scores_are_not_asked_and_seconds_are(plans):
    for plan, _ in plans.values():
        scored = [name for name in plan.reasons if plan.targets.get(name) == "domain_study"]
        assert {plan.reasons[name] for name in scored} == {judging.NO_JUDGE}
        assert {"C-2.elyza", "C-3.attention"} <= {*scored}
        assert plan.targets["C-4.latency"] == "domain_study" and "C-4.latency" in plan.tested


def options(command):
    """What the option --config of a command lays over a configuration."""
    program, given = re.fullmatch(r"(.+) --config (.+) -- \w+", command).groups()
    assert program == COMMAND
    return {key: yaml.safe_load(value) for key, _, value in [shlex.split(given)[0].partition("=")]}


def test_what_lacks_a_judge_an_accelerator_or_a_folder_has_a_command(plans):
    plan, _ = plans["embedded"]
    assert options(plan.command("F-9.memory")) == {"accelerator": "rocm"}
    for claim, target in (("C-2.elyza", "domain_study"), ("D-3", "judging"), ("D-1", "judging")):
        command = plan.command(claim)
        assert command.endswith(f" -- {target}")
        asked = Config.model_validate(options(command)).judging
        assert asked.judges or (asked.llm_jp_eval and asked.comet)


def test_what_no_shipped_scale_has_is_not_said_to_be_judged(plans):
    for _, later in plans.values():
        assert "D-1" not in later.tested and later.kinds["D-1"] == [Obstacle.DATA]
