from pathlib import Path

import pytest
import torch
from conditions_example import tier
from kensho.bench import mixture_flops, mixture_speed
from kensho.bench.run import Run
from kensho.bench.settings import MixtureSpeed
from kensho.models import cards as architecture

CARDS = architecture.load(Path(__file__).parents[2] / "resources" / "architectures.yaml")
CARD = CARDS[mixture_flops.MIXTURE]
DENSE = {"num_local_experts": 1, "num_experts_per_tok": 1}
SETTINGS = MixtureSpeed(dtype="float32", prompt=8, new_tokens=2, blocks=2)
RUN = Run(Path(), threads=1, seed=3)


def test_a_reduced_mixture_keeps_its_proportions():
    small = mixture_speed.reduced(CARD, hidden_size=512, layers=4).config
    assert small["intermediate_size"] == 1792
    assert (small["num_attention_heads"], small["num_key_value_heads"]) == (4, 1)
    ratios = []
    for card, length in ((CARD.config, 512), (small, 64)):  # a context in proportion
        dense, mixture = (
            mixture_flops.closed_form(sizes, length)["flops_per_token"]
            for sizes in (
                {**card, "intermediate_size": 8 * card["intermediate_size"], **DENSE},
                card,
            )
        )
        ratios.append(dense / mixture)
    assert ratios[1] == pytest.approx(ratios[0], rel=2e-3)


def test_the_full_size_is_the_card_itself():
    assert mixture_speed.reduced(CARD, hidden_size=4096, layers=32).config == CARD.config


def test_a_hidden_size_without_whole_groups_of_heads_is_refused():
    with pytest.raises(ValueError, match="hidden_size 768 is no multiple of 512"):
        mixture_speed.reduced(CARD, hidden_size=768, layers=1)


@pytest.fixture(scope="module")
def observed():
    card = mixture_speed.reduced(CARD, hidden_size=512, layers=1)
    return mixture_speed.observe(card, SETTINGS, RUN)


def test_every_arm_is_timed_in_every_block(observed):
    for metric in mixture_speed.UNITS:
        rows = observed[observed["metric"] == metric]
        assert (rows["value"] > 0).all()
        arms = rows.groupby("block")["arm"].agg(set)
        assert list(arms) == [{"mixture", "dense-total", "dense-active"}] * 2


def test_peak_memory_holds_the_weights(observed):
    card = mixture_speed.reduced(CARD, hidden_size=512, layers=1)
    peaks = observed[observed["metric"] == "peak_memory_bytes"].groupby("arm")["value"].min()
    for arm, (_, sizes) in mixture_flops.models(card).items():
        weights = 4 * mixture_flops.closed_form(sizes, 1)["parameters_total"]
        assert weights < peaks[arm] < 3 * weights + 100e6


def test_the_mixture_says_which_experts_ran(observed):
    rows = observed[observed["metric"].isin(mixture_speed.ROUTING)]
    assert set(rows["arm"]) == {"mixture"}
    found = rows.groupby("metric")["value"].agg(set)
    assert found["experts_total"] == {8} and found["experts_per_token"] == {2}
    assert all(2 <= used <= 8 for used in found["experts_used_by_prompt"])


def test_a_router_that_sends_all_one_way_is_seen():
    card = mixture_speed.reduced(CARD, hidden_size=512, layers=1)
    sizes = {**card.config, "intermediate_size": 16}
    torch.manual_seed(0)
    model = mixture_flops.build("mixtral", sizes).eval()
    ids = torch.arange(6).unsqueeze(0)
    with torch.inference_mode():
        model.model.layers[0].mlp.gate.weight.zero_()  # ties: every token goes the same way
        assert mixture_speed._routing(model, ids, sizes)["experts_used_by_prompt"] == 2
        with pytest.raises(ValueError, match=r"tokens met \[2\] different experts"):
            mixture_speed._routing(model, ids, {**sizes, "num_experts_per_tok": 3})


def test_real_dimensions_are_a_reference_and_others_reduced():
    for hidden, layers, expected in (
        (4096, 32, "reference"),
        (4096, 8, "reduced"),
        (512, 32, "reduced"),
    ):
        card = mixture_speed.reduced(CARD, hidden_size=hidden, layers=layers)
        made = mixture_speed.conditions(card, CARD, SETTINGS, RUN)
        assert tier(made, "Rakuten/RakutenAI-2.0-8x7B") == expected
