from pathlib import Path

import pytest
from kensho.bench import specifications
from kensho.claims import registry
from kensho.models import cards, hardware
from kensho.observations import environment, read, write
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge

RESOURCES = Path(__file__).parents[2] / "resources"
MODEL = cards.load(RESOURCES / "architectures.yaml")[specifications.MODEL]
VENDOR = hardware.load(RESOURCES / "hardware.yaml")
CLAIMS = {claim.id: claim for claim in registry.load(RESOURCES.parent / "config/claims")}
SMALL = {
    **{"vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "moe_intermediate_size": 8},
    **{"num_hidden_layers": 4, "num_attention_heads": 2, "num_key_value_heads": 2},
    **{"n_routed_experts": 8, "num_experts_per_tok": 2, "first_k_dense_replace": 1},
    **{"q_lora_rank": 6, "kv_lora_rank": 4, "qk_rope_head_dim": 4, "qk_nope_head_dim": 6},
    "v_head_dim": 6,
}


def small(**sizes):
    config = {**MODEL.config, **SMALL, **sizes}
    return MODEL.model_copy(update={"config": config})


def metrics(table):
    return table.set_index("metric")["value"]


@pytest.mark.parametrize(
    "sizes", [{}, {"num_hidden_layers": 2}, {"n_shared_experts": 3}, {"first_k_dense_replace": 3}]
)
def test_the_formula_counts_what_is_built(sizes):
    card = small(**sizes)
    assert specifications.parameters(card)["parameters"] == cards.parameter_count(card)


def test_a_token_meets_all_but_the_experts_that_are_not_chosen():
    all_chosen = specifications.parameters(small(num_experts_per_tok=8))
    two, three = (specifications.parameters(small(num_experts_per_tok=n)) for n in (2, 3))
    assert all_chosen["parameters_active"] == all_chosen["parameters"] == two["parameters"]
    assert three["parameters_active"] - two["parameters_active"] == 3 * (3 * 16 * 8)
    assert two["parameters_active"] - two["parameters_multiplied"] == 50 * 16


def test_a_formula_that_is_off_is_refused(monkeypatch):
    real = specifications.parameters

    def off(card):
        return {**real(card), "parameters": real(card)["parameters"] + 1}

    monkeypatch.setattr(specifications, "parameters", off)
    with pytest.raises(ValueError, match="are built"):
        specifications.observe_model(small())


def test_figures_of_the_card_stand_as_the_card_has_them():
    observed = metrics(specifications.observe_model(small(max_position_embeddings=4096)))
    assert observed["context"] / observed["k"] == 4
    cache = metrics(specifications.observe_hardware(VENDOR["mi300x"]))
    assert cache["cache_bytes"] == VENDOR["mi300x"].last_level_cache_bytes
    assert cache["cache_bytes_per_second"] / cache["terabyte"] == 17.2  # CDNA 3 white paper
    without = next(card for card in VENDOR.values() if card.last_level_cache_bytes is None)
    with pytest.raises(ValueError, match="add it with its source"):
        specifications.observe_hardware(without)


@pytest.mark.parametrize(
    ("claim", "verdict"), [("F-9.cache", "VERIFIED"), ("F-9.cache-bandwidth", "FAILED")]
)
def test_figures_of_the_cache_are_held_against_the_vendors(claim, verdict, tmp_path):
    vendor = VENDOR["mi300x"]
    told = specifications.conditions("the vendor's specification", vendor.source)
    write(tmp_path, specifications.observe_hardware(vendor), {**environment(), **told})
    table, conditions = read(tmp_path / "mi300x.csv")
    settings = Settings(family_size=1, alpha=0.05, seed=1)
    answer = judge(CLAIMS[claim], {"mi300x": table}, {"mi300x": conditions}, settings)[0]
    assert answer.verdict == verdict


def test_both_arms_follow_from_a_specification_alone():
    inputs = {"cards": RESOURCES / "architectures.yaml", "hardware": RESOURCES / "hardware.yaml"}
    tables = specifications.experiment(inputs, None, None)
    assert [table["arm"].unique().tolist() for table, _ in tables] == [["deepseek-r1"], ["mi300x"]]
    assert all(conditions["ran"]["follows_from"] for _, conditions in tables)
