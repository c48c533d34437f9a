"""Japanese pages hold no English but quotations, names and code."""

import ast
import re
from collections.abc import Iterator
from fractions import Fraction
from html import escape
from pathlib import Path

import jlce_results
import pytest
import test_calibration_page
from judged_results import CLOSED, SAMPLED, judged, summarised
from kensho.audit import registry as audits
from kensho.claims import registry
from kensho.claims.model import Tier
from kensho.report import audit, calibration, jlce, pooled, quality
from kensho.report.page import Tables, build
from kensho.report.tables import claimed
from kensho.report.translation import Catalogue, english, translated
from kensho.stats.decision import Result, decide, decide_deterministic
from kensho.stats.hypothesis import Rule
from kensho.stats.scales import RATIO
from report_example import tables
from test_calibration_of_the_engine import META, written
from test_quality_page import ABOUT, MISSING
from test_quality_page import found as corpus  # noqa: F401  a fixture

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "resources/languages/ja").glob("*.yaml"))
CATALOGUE = Catalogue.read(FILES)
CLAIMS = registry.load(ROOT / "config/claims")
# What the claims of the examples say in their own words.
EXAMPLES = {
    "what is compared": "比較するもの",
    "a remark": "注記",
    "a small model stands in": "小さいモデルで代える",
    "needs eight accelerators of another kind": "別種のアクセラレータ8基を要する",
}


def left(page: str, **examples: str) -> list[str]:
    catalogue = Catalogue({**CATALOGUE.exact, **examples})
    return english(translated(page, catalogue, "ja"))


def is_translated(text: str) -> bool:
    return CATALOGUE.of(escape(text.strip(), quote=False)) is not None


def words(claim) -> list[str]:
    """What a claim says in our words, statements of the sources are quotations."""
    readings = claim.test.all_readings if claim.test else ()
    own = [claim.statement] if claim.source == "own" else []
    labels = [*(reading.label for reading in readings), *(entry.text for entry in claim.audit)]
    value = claimed(claim.model_dump(mode="json"))
    value = [value] if re.search("[a-z]{4}", value) else []  # symbols of units are as they are
    return [
        *own,
        claim.quantity,
        *value,
        *claim.remarks,
        *labels,
        *filter(None, [claim.not_tested]),
    ]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_word_of_a_claim_is_translated(claim):
    assert [text for text in words(claim) if not is_translated(text)] == []


def test_the_report_of_judged_claims_is_japanese(tmp_path):
    summary = summarised(tmp_path, judged(tmp_path, CLOSED))
    table = tables()
    units = ("nats per token", "nats per pair", "per answer")
    of_arms = dict(zip(table["loss"]["arm"].unique(), units, strict=True))
    table["loss"]["unit"] = table["loss"]["arm"].map(of_arms)
    cost = {
        "spent_usd": 1.5,
        "limit_usd": 2.0,
        "rules": [{"rule": "train_stage", "attempts": 2, "seconds": 9.0, "usd": 1.5}],
        "left_out": [{"id": "D-1", "reason": "left out: 90 % of budget.limit_usd (2 USD) is spent; "
                      "raise it and run again"}],
    }  # fmt: skip
    pages = [
        {"target": "jlce", "command": "x", "href": "a", "there": True, "stale": None},
        {"target": "calibration", "command": "x", "href": "a", "there": True,
         "stale": "fetch: its code, or the versions in its environment"},
        {"target": "calibration_full", "command": "x", "href": "a", "there": False, "stale": None},
    ]  # fmt: skip
    audits_of = ["lora-r8, sft, seed 1: 90 of 120 tokens are learned, rows packed",
                 "lora-r8, cpt, seed 1: 9 of 12 tokens are learned, rows padded: as configured",
                 "lora-r8, dpo, seed 1: 90 of 120 tokens are learned",
                 "lora-r8, sft, seed 1: 1 of 4 samples have nothing to learn"]  # fmt: skip
    page = build(summary, {"wall_seconds": 3.0, "rules": []}, cost, pages,
                 Tables(**{**table, "audits": audits_of}))  # fmt: skip
    assert left(page, **EXAMPLES) == []
    assert "what is compared" in english(translated(page, CATALOGUE, "ja"))  # it can fail


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLED)
def test_the_report_of_a_sampled_design_is_japanese(name, tmp_path):
    summary = summarised(tmp_path, judged(tmp_path, {name: SAMPLED[name]}))
    assert left(build(summary, {"wall_seconds": None, "rules": []}), **EXAMPLES) == []


def test_every_title_of_a_jlce_task_is_translated():
    assert [title for title in jlce.TITLES.values() if not is_translated(title)] == []


def test_the_other_pages_are_japanese(corpus):  # noqa: F811
    of_claims = audits.audit(CLAIMS)
    empty = of_claims.iloc[:0].assign(table="")
    made = [
        calibration.build(test_calibration_page.tables(), test_calibration_page.META),
        quality.build("x", corpus, MISSING, None, ABOUT),
        audit.build(of_claims, empty, empty, empty, ()),
        pooled.build({"sites": ["a", "b"], "claims": [], "alone": ["R-1"]}),
    ]
    assert [left(page) for page in made] == [[]] * len(made)


@pytest.mark.slow
def test_the_pages_of_studies_are_japanese(tmp_path):
    assert left(jlce.build(**jlce_results.given(tmp_path))) == []
    folder = tmp_path / "calibration"
    folder.mkdir()
    assert left(calibration.build(calibration.read(written(folder)), META)) == []


RULE = {
    "quantity": "peak memory of training, full fine-tuning / LoRA",
    "region": (1.8, 2.2),
    "scale": RATIO,
    "direction": "greater",
    "sesoi": 1.05,
    "claimed_value": 2.0,
    "min_units": 10,
    "required_tier": Tier.AT_SCOPE,
    "scope": "cyberagent/open-calm-1b and meta-llama/Llama-2-7b-hf",
}
SURE = {"p_region": 0.99, "p_region_sensitivity": (0.98,), "p_direction": 1.0, "n_units": 12}
OUT = {**SURE, "p_region": 0.001, "p_region_sensitivity": (0.01,)}
OPEN = {**SURE, "p_region": 0.6, "p_region_sensitivity": (0.6,)}
DECIDED = {
    "HOLDS": {**SURE, "interval": (1.9, 2.1)},
    "EXCLUDED": {**OUT, "interval": (4.1, 5.0)},
    "MAGNITUDE": {**OUT, "interval": (1.06, 1.5)},
    "TIER_MAGNITUDE": {**OUT, "interval": (1.06, 1.5), "tier": Tier.REDUCED},
    "TIER": {**SURE, "interval": (1.9, 2.1), "tier": Tier.REDUCED},
    "TIER_EXCLUDED": {**OUT, "interval": (4.1, 5.0), "tier": Tier.REDUCED},
    "UNDECIDED": {**OPEN, "interval": (1.5, 2.5), "n_required": 40, "tier": Tier.REDUCED},
    "SCHOOLS": {**OPEN, "interval": (1.9, 2.1)},
    "PRIORS": {**SURE, "interval": (1.9, 2.1), "p_region_sensitivity": (0.5,)},
    "UNITS": {**SURE, "interval": (1.9, 2.1), "n_units": 3},
    "CONSTANT": {**SURE, "interval": None},
    "GATE": {**SURE, "interval": (1.9, 2.1), "failed": ["two chains are the same"]},
}


@pytest.mark.parametrize("expected", DECIDED)
def test_every_sentence_of_the_rule_is_translated(expected):
    result = {"tier": Tier.AT_SCOPE, "estimate": 2.0, **DECIDED[expected]}
    _, reason, sentence = decide(Rule(**RULE), Result(**result))
    assert reason == expected and is_translated(sentence)
    assert not english(CATALOGUE.of(escape(sentence, quote=False)))


@pytest.mark.parametrize("values", [(2, 2, 2), (2, 3, 4), (3, 3, 4), (2,), (5,), (2, 3, 3, 3, 3)])
def test_every_sentence_on_exact_readings_is_translated(values):
    labels = ("MHA of the same model, per layer", "MQA, per layer", "Llama-2-7B, all layers")
    rows = [(labels[n % 3], Fraction(x), Fraction(x)) for n, x in enumerate(values)]
    _, _, sentence = decide_deterministic(Rule(**RULE), rows, Tier.AT_SCOPE)
    assert is_translated(sentence) and not english(CATALOGUE.of(sentence)), sentence


NOTED = {"deviations", "stand_ins", "not_tested", "absent"}
LIBRARY = ROOT / "workflow/kensho"


def noted(path: Path) -> set[str]:
    """What a module writes into the conditions for the page, with 7 for whatever it fills in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    values: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            named = zip(node.keys, node.values, strict=True)
            values += [v for k, v in named if isinstance(k, ast.Constant) and k.value in NOTED]
        elif isinstance(node, ast.keyword) and node.arg in NOTED:
            values.append(node.value)
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values += [node.value for t in targets if isinstance(t, ast.Name) and t.id in NOTED]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = node.func.value
            values += node.args if isinstance(of, ast.Name) and of.id in NOTED else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            values += node.args if node.func.id == "Undefined" else []
        elif isinstance(node, ast.FunctionDef) and node.name.strip("_") in NOTED:
            values += [n for n in ast.walk(node) if isinstance(n, ast.Return)]
    values += [
        constants[name.id]
        for value in list(values)
        for name in ast.walk(value)
        if isinstance(name, ast.Name) and name.id in constants
    ]
    return {text for value in values for text in texts(value)}


def texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def test_what_experiments_note_is_translated():
    found = {text for path in LIBRARY.rglob("*.py") for text in noted(path)}
    said = {text for text in found if english(f"<p>{escape(text)}</p>")}
    assert len(said) > 20 and [text for text in sorted(said) if not is_translated(text)] == []
