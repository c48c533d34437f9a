"""The truth table of tiers, and that nothing but a whole run of the claim's models is at scope."""

import json
from pathlib import Path

import pytest
from conditions_example import CONDITIONS, RECORD
from kensho import observations
from kensho.claims import registry
from kensho.claims.model import Claim, Scope, Tier
from kensho.observations.ran import Ran
from kensho.observations.tier import Arm, ceiling, derive
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive as judged
from test_observations import rows

CLAIMS = Path(__file__).parents[1] / "config/claims"
LLAMA, CALM = "meta-llama/Llama-2-7b-hf", "cyberagent/open-calm-1b"
MI300X = "AMD MI300X with ROCm"
DEVICE = "AMD Instinct MI300X"
OWN = {
    **{"name": "llama-2-7b", "hub": LLAMA, "weights": "own", "revision": "0" * 40},
    **{"files": {"model.safetensors": "ab" * 32}, "parameters": 6738415616, "as_card": True},
}
CALM_OWN = OWN | {"name": "open-calm-1b", "hub": CALM}
WHOLE = {"name": "train", "items": 500, "of": 500}


def found(models, hardware, accelerators, *arms):
    scope = Scope(models=models, hardware=hardware)
    return derive(scope, [Arm(Ran.model_validate(arm), accelerators) for arm in arms])


def ran(*models, **facts):
    return {"models": list(models), **facts}


@pytest.mark.parametrize(
    ("named", "hardware", "arms", "tier", "why"),
    [
        # every model that is named, and no other, with its own weights
        ([LLAMA], "any", [ran(OWN)], "at-scope", "what the claim speaks of ran"),
        ([LLAMA, CALM], "any", [ran(OWN), ran(CALM_OWN)], "at-scope", "speaks of ran"),
        ([LLAMA, CALM], "any", [ran(OWN, CALM_OWN)], "at-scope", "speaks of ran"),
        ([LLAMA, CALM], "any", [ran(OWN)], "reduced", f"{CALM} did not run"),
        ([LLAMA], "any", [ran(OWN), ran(CALM_OWN)], "reduced", "open-calm-1b ran; the claim"),
        ([LLAMA], "any", [ran()], "reduced", f"{LLAMA} did not run"),
        ([], "any", [ran(OWN)], "reduced", "the claim names no model"),
        (["any"], "any", [ran(OWN), ran(CALM_OWN)], "at-scope", "speaks of ran"),
        (["any"], "any", [ran(OWN | {"weights": "random"})], "reference", "random weights"),
        # hardware
        ([LLAMA], MI300X, [ran(OWN)], "at-scope", "speaks of ran"),
        ([LLAMA], "NVIDIA H100", [ran(OWN)], "reference", f"{DEVICE} ran"),
        ([LLAMA], "as in the paper", [ran(OWN)], "reference", "as in the paper"),
        ([], MI300X, [ran()], "at-scope", "speaks of ran"),
        ([], "NVIDIA H100", [ran()], "reference", "NVIDIA H100"),
        # what depends on neither
        ([LLAMA], "NVIDIA H100", [ran(follows_from="shapes")], "at-scope", "from shapes alone"),
        ([], "any", [ran(follows_from="shapes")], "at-scope", "from shapes alone"),
        ([], "any", [ran(follows_from="shapes"), ran(OWN)], "reduced", "names no model"),
        # what is less than that
        ([LLAMA], "any", [ran(OWN | {"weights": "random"})], "reference", "random weights"),
        ([LLAMA], "any", [ran(OWN | {"weights": "other"})], "reference", "other weights than"),
        ([LLAMA], "any", [ran(OWN | {"weights": "twin"})], "reduced", "is a twin"),
        ([LLAMA], "any", [ran(OWN | {"as_card": False})], "reduced", "dimensions"),
        ([LLAMA], "any", [ran(OWN, data=[WHOLE])], "at-scope", "speaks of ran"),
        ([LLAMA], "any", [ran(OWN, data=[WHOLE | {"items": 48}])], "reduced", "48 of the 500"),
        ([LLAMA], "any", [ran(OWN, data=[{"name": "x", "items": 4}])], "at-scope", "speaks"),
        ([LLAMA], "any", [ran(OWN, computed="its card")], "analytic", "computed from its card"),
        ([LLAMA], "any", [ran(OWN, stand_ins=["b for a"])], "reduced", "b for a"),
        ([], "any", [ran(follows_from="shapes", at_most={"a": "analytic"})], "analytic", "a"),
        # the weakest counts
        ([LLAMA], "H100", [ran(OWN | {"weights": "twin"})], "reduced", "twin"),
        ([LLAMA, CALM], "any", [ran(OWN), ran(CALM_OWN, computed="x")], "analytic", "x"),
    ],
)
def test_truth_table(named, hardware, arms, tier, why):
    assert (reached := found(named, hardware, [DEVICE], *arms))[0] == tier
    assert why in reached[1]
    for arm in arms:
        assert Tier.rank(ceiling(Ran.model_validate(arm))) <= Tier.rank(tier)


AT_SCOPE = {
    **{"named": [LLAMA, CALM], "hardware": MI300X, "accelerators": [DEVICE, DEVICE]},
    "arms": [ran(OWN, data=[WHOLE]), ran(CALM_OWN, data=[WHOLE])],
}
MODEL = [
    *({"weights": kind} for kind in ("other", "random", "twin")),
    *({"hub": other} for other in (None, CALM, "tokyotech-llm/Swallow-7b-hf")),
    *({key: empty} for key, empty in [("revision", None), ("files", {}), ("parameters", None)]),
    {"as_card": False},
]
FACTS = [
    {"computed": "its card"},
    {"stand_ins": ["another for it"]},
    {"data": [WHOLE | {"items": 499}]},
    {"at_most": {"accelerator: rocm -> cuda": "reference"}},
    {"models": []},
    {"models": [OWN, OWN | {"hub": None, "name": "a stranger"}]},
]
AROUND = [
    *({"named": other} for other in ([], [LLAMA], [CALM], [LLAMA, CALM, "Qwen/Qwen2.5-7B"])),
    *({"hardware": other} for other in ("AMD MI250X with ROCm", "node of AMD MI300X with ROCm")),
    *({"accelerators": other} for other in ([], ["NVIDIA H100"], [DEVICE, "NVIDIA H100"])),
]


def reached(named, hardware, accelerators, arms):
    return found(named, hardware, accelerators, *arms)[0]


def test_the_run_that_is_changed_is_at_scope():
    assert reached(**AT_SCOPE) == "at-scope"


@pytest.mark.parametrize("change", [*({"model": m} for m in MODEL), *FACTS, *AROUND], ids=str)
def test_any_single_change_of_a_run_at_scope_lowers_it(change):
    first, second = AT_SCOPE["arms"]
    if model := change.get("model"):
        changed = {"arms": [first | {"models": [OWN | model]}, second]}
    elif change.keys() <= AT_SCOPE.keys():
        changed = change
    else:
        changed = {"arms": [first | change, second]}
    assert reached(**AT_SCOPE | changed) != "at-scope"


@pytest.mark.parametrize("weights", ["other", "random", "twin"])
@pytest.mark.parametrize("facts", [{}, {"data": [WHOLE]}, {"follows_from": "its dimensions"}])
def test_no_twin_is_more_than_reduced_and_no_stand_in_at_scope(weights, facts):
    """Whatever the claim names: own name, another, any."""
    if weights != "twin" and "follows_from" in facts:
        return
    for hub in (LLAMA, CALM, None):
        for named in ([LLAMA], [CALM], [], ["any"]):
            run = ran(OWN | {"weights": weights, "hub": hub}, **facts)
            tier = reached(named, "any", [], [run])
            assert tier == "reduced" or (weights != "twin" and tier == "reference")


@pytest.mark.parametrize("claim", registry.tested(registry.load(CLAIMS)), ids=lambda c: c.id)
def test_no_registered_claim_is_met_at_scope_by_a_model_that_it_does_not_name(claim):
    """SmolLM2 as the embedded scale has it, its weights from a package's file."""
    smol = {"name": "smollm2-135m-instruct", "weights": "other", "parameters": 134515008}
    assert derive(claim.scope, [Arm(Ran.model_validate(ran(smol)), [DEVICE])])[0] == "reduced"


# Conditions as files


def claim(models):
    side = {"metric": "cache_bytes", "block": None}
    sides = {"numerator": {"arm": "mla", **side}, "denominator": {"arm": "mha", **side}}
    test = {
        **{"design": "deterministic", "experiment": "kv_cache", "region": [0.5, 2.0]},
        **{"readings": [{"label": "all", **sides}], "direction": "less", "sesoi": 1.0},
    }
    return Claim.model_validate(
        {
            **{"id": "R-1", "source": "own", "statement": "s", "quantity": "q", "unit": "ratio"},
            **{"claimed": {"low": 0.5, "high": 2.0}, "scope": {"models": models}},
            **{"test": test, "not_tested": None},
        }
    )


@pytest.fixture
def stored(tmp_path):
    """Judges a claim of these models on two arms; `change` is of the second arm's conditions."""

    def judge(models, of_arms, change=lambda conditions: conditions):
        folder = tmp_path / "benchmark_data/kv_cache"
        for arm, facts in of_arms.items():
            table = observations.table(rows(arm))
            [path] = observations.write(folder, table, CONDITIONS | {"ran": facts})
        sidecar = path.with_suffix(".conditions.json")
        sidecar.write_text(json.dumps(change(json.loads(sidecar.read_text()))))
        settings = Settings(family_size=1, alpha=0.05, seed=1)
        return judged(claim(models), tmp_path, settings)[0]

    return judge


def test_the_judge_derives_the_tier_for_each_claim(stored):
    arms = {"mla": ran(OWN), "mha": ran(CALM_OWN)}
    for models, tier, verdict in (
        ([LLAMA, CALM], "at-scope", "VERIFIED"),
        ([LLAMA], "reduced", "PARTIAL"),
        ([], "reduced", "PARTIAL"),
    ):
        found = stored(models, arms)
        assert (found.tier, found.verdict) == (tier, verdict) and found.tier_reason


def test_conditions_of_older_versions_are_read_and_never_rise(stored):
    arms = {"mla": ran(OWN), "mha": ran(CALM_OWN)}
    for tier in Tier:

        def older(conditions, tier=tier):
            return {k: v for k, v in conditions.items() if k != "ran"} | {"tier": tier.value}

        found = stored([LLAMA], arms, older)
        assert found.tier.rank() >= tier.rank()
    raised = stored([LLAMA], arms, lambda conditions: conditions | {"tier": "at-scope"})
    assert raised.tier == "reduced"
    lowered = stored([LLAMA, CALM], arms, lambda conditions: conditions | {"tier": "analytic"})
    assert (lowered.tier, lowered.tier_reason) == ("analytic", None)


def test_what_a_training_saw_of_its_samples_reaches_the_conditions_of_its_evaluation(tmp_path):
    import torch
    from kensho.evaluate.arms import conditions
    from kensho.evaluate.engines import Served
    from kensho.train import record

    base, asked = tmp_path / "base.json", [{"name": "test", "items": 5, "of": 5}]
    base.write_text(json.dumps({**RECORD["base"], "path": "results/models/tiny"}))
    stages = {1: WHOLE | {"name": "cpt"}, 2: WHOLE | {"items": 80}}
    paths = [tmp_path / f"{number}.json" for number in stages]
    for path, (number, data) in zip(paths, stages.items()):
        record.write(path, RECORD | {"number": number, "data": data})
    given = {"dtype": torch.float32, "threads": 1, "not_tested": [], "asked": asked}
    given["served"] = [Served({"name": "transformers"}, None)]
    facts = conditions(base, paths, **given)["ran"] | {"models": [OWN]}
    assert [data["name"] for data in facts["data"]] == ["cpt", "train", "test"]
    assert found([LLAMA], "any", [], facts) == ("reduced", "80 of the 500 items of train")


def test_a_tier_is_written_by_nobody(tmp_path):
    table = observations.table(rows())
    with pytest.raises(ValueError, match="tier: it is derived from `ran`; leave it out"):
        observations.write(tmp_path, table, CONDITIONS | {"tier": "at-scope"})
    [path] = observations.write(tmp_path, table, CONDITIONS | {"ran": ran(OWN, computed="x")})
    assert observations.read(path)[1]["tier"] == "analytic"
