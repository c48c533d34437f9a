from pathlib import Path

import pytest
import torch
from kensho.bench import mixture_flops
from kensho.models import cards as architecture

CARDS = architecture.load(Path(__file__).parents[2] / "resources" / "architectures.yaml")
CARD = CARDS[mixture_flops.MIXTURE]
TINY = CARD.model_copy(
    update={
        "config": {
            **CARD.config,
            "vocab_size": 50,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
        }
    }
)


@pytest.fixture(scope="module")
def observed():
    return mixture_flops.observe(TINY, lengths=[1, 6])


def value(table, arm, block, metric):
    rows = table[(table["arm"] == arm) & (table["block"] == block) & (table["metric"] == metric)]
    (found,) = rows["value"]
    return found


def test_counts_follow_by_hand(observed):
    projections = 2 * (32 * 32 + 32 * 16 + 32 * 16 + 32 * 32)
    expert, router, head = 2 * 3 * 32 * 48, 2 * 32 * 8, 2 * 32 * 50
    attention = 2 * 2 * 6 * 32  # scores and values over 6 tokens
    for arm, feed_forward in [
        ("mixture", 2 * expert + router),
        ("dense-total", 8 * expert),
        ("dense-active", 2 * expert),
    ]:
        whole = 2 * (projections + attention + feed_forward) + head
        assert value(observed, arm, "length-6", "flops_per_token") == whole
        found = value(observed, arm, "length-6", "feed_forward_flops_per_token")
        assert found == 2 * feed_forward


def test_dense_models_differ_from_the_mixture_by_its_router_alone(observed):
    router = 2 * 32 * 8
    for metric, arm in [("parameters_total", "dense-total"), ("parameters_active", "dense-active")]:
        mixture = value(observed, "mixture", "model", metric)
        assert mixture - value(observed, arm, "model", metric) == router


def test_an_operation_of_difference_is_an_error(monkeypatch):
    formula = mixture_flops.closed_form

    def off_by_one(sizes, length):
        return {
            **formula(sizes, length),
            "flops_per_token": formula(sizes, length)["flops_per_token"] + 1,
        }

    monkeypatch.setattr(mixture_flops, "closed_form", off_by_one)
    with pytest.raises(ValueError, match="mixture, length-1: flops_per_token is"):
        mixture_flops.observe(TINY, lengths=[1])


def test_parameters_are_those_of_mixtral_with_a_larger_vocabulary():
    """Mixtral-8x7B is published with 46,702,792,704 parameters at 32,000 entries."""
    sizes = mixture_flops.models(CARD)["mixture"][1]
    added = 2 * 4096 * (sizes["vocab_size"] - 32000)
    found = mixture_flops.closed_form(sizes, 1)
    assert found["parameters_total"] == 46_702_792_704 + added
    with torch.device("meta"):
        model = mixture_flops.build("mixtral", sizes)
    assert mixture_flops.parameters(model, sizes)["parameters_active"] == found["parameters_active"]


def test_experts_quarter_the_feed_forward_layers_but_not_the_whole():
    forms = {
        arm: mixture_flops.closed_form(sizes, 512)
        for arm, (_, sizes) in mixture_flops.models(CARD).items()
    }
    feed_forward, whole = (
        forms["dense-total"][metric] / forms["mixture"][metric]
        for metric in ("feed_forward_flops_per_token", "flops_per_token")
    )
    assert feed_forward == pytest.approx(4, rel=1e-3)
    assert whole == pytest.approx(3.612, abs=1e-3)
