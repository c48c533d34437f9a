from pathlib import Path

import pytest
import torch
from kensho.bench import attention
from kensho.bench.attention import ARMS, Cell
from kensho.bench.kv_cache import closed_form_elements
from kensho.bench.run import Run
from kensho.bench.settings import Attention
from kensho.models import cards
from kensho.models.attention import build, hidden_states

R1 = cards.load(Path(__file__).parents[2] / "resources" / "architectures.yaml")["deepseek-r1"]
SMALL = R1.model_copy(
    update={
        "config": R1.config
        | {
            "hidden_size": 96,
            "num_attention_heads": 8,
            "num_key_value_heads": 8,
            "q_lora_rank": 48,
            "kv_lora_rank": 40,
            "qk_nope_head_dim": 24,
            "qk_rope_head_dim": 16,
            "v_head_dim": 32,
        }
    }
)
WHERE = {"dtype": torch.float32, "device": "cpu"}


def last_outputs(arm, change=lambda layer: None, batch=3, tokens=20):
    """Output for the last token by our path and by transformers, for unlike sequences."""
    layer = build(arm, SMALL, seed=1, **WHERE)
    hidden = hidden_states(batch * tokens, layer.config, **WHERE).view(batch, tokens, -1)
    rope = layer.rope(torch.arange(tokens), hidden)
    theirs = layer.reference(hidden, rope)
    single = [layer.filled(hidden[i : i + 1, :-1], 1, tokens) for i in range(batch)]
    cache = tuple(torch.cat(parts) for parts in zip(*single, strict=True))
    change(layer.layer)
    ours = layer.decode(hidden[:, -1:], tuple(factor[:, -1:] for factor in rope), cache)
    return ours, theirs


@pytest.mark.parametrize("arm", ARMS)
def test_every_form_gives_what_transformers_gives(arm):
    ours, theirs = last_outputs(arm)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arm", ARMS)
def test_the_comparison_sees_another_scale_of_the_softmax(arm):
    def scale(layer):
        layer.scaling *= 1.5

    ours, theirs = last_outputs(arm, scale)
    assert (ours - theirs).abs().max() > 1e-3 * theirs.abs().max()


def test_heads_differ_though_rows_repeat():
    wide = SMALL.model_copy(
        update={"config": SMALL.config | {"num_attention_heads": 128, "hidden_size": 128}}
    )
    layer = build("mqa", wide, seed=1, **WHERE).layer
    heads = layer.q_proj.weight.view(128, -1)
    assert len(set(heads[:, 0].tolist())) == 128


def test_half_precision_stays_near():
    layer = {
        d: build("mla-latent", SMALL, seed=1, dtype=d, device="cpu")
        for d in (torch.float32, torch.bfloat16)
    }
    found = []
    for dtype, form in layer.items():
        torch.manual_seed(2)
        hidden = hidden_states(9, form.config, dtype=dtype, device="cpu")
        rope = form.rope(torch.tensor([8]), hidden)
        found.append(form.decode(hidden[:, -1:], rope, form.filled(hidden[:, :8], 1, 9)).float())
    torch.testing.assert_close(*found, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("cell", [Cell(7, 1, "float32"), Cell(4, 3, "float32")])
def test_operations_equal_the_closed_form(arm, cell):
    assert attention.attention_flops(arm, R1, cell) > 0


def test_an_operation_more_is_an_error(monkeypatch):
    monkeypatch.setattr(attention, "closed_form_flops", lambda *_: 1)
    with pytest.raises(ValueError, match=r"mqa, L7-B1-float32: .* FLOP counted, by formula 1"):
        attention.attention_flops("mqa", R1, Cell(7, 1, "float32"))


SETTINGS = Attention(
    **{"lengths": [48], "batches": [2], "dtypes": ["bfloat16"]},
    **{"blocks": 2, "blocks_beside": 1, "repetitions": 2},
)
RUN = Run(Path(), threads=1, seed=3)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(attention, "JUDGED", (32, 1))


@pytest.fixture
def here(monkeypatch, short):
    """Runs in this process: the processes of their own are tested with `interleaved`."""

    def interleaved(arms, blocks, run, *, first=0, **_):
        return [
            {**work(), "arm": arm, "block": block, "position": place}
            for block in range(first, first + blocks)
            for place, (arm, work) in enumerate(arms.items())
        ]

    monkeypatch.setattr(attention, "interleaved", interleaved)


def test_the_judged_cell_is_not_beside_itself_and_weights_are_made_once_by_precision():
    grid = {"lengths": [512, 4096], "batches": [1], "dtypes": ["bfloat16", "float32"]}
    judged, beside = attention.cells(Attention(**grid))
    assert judged == {"": Cell(4096, 1, "float32")}
    assert list(beside) == [".L512-B1-bfloat16", ".L4096-B1-bfloat16", ".L512-B1-float32"]


def test_cells_blocks_and_replicates(here):
    table = attention.observe(SMALL, SETTINGS, RUN)
    assert set(table["arm"]) == set(ARMS)
    seconds = table[table["metric"] == "decode_seconds"]
    assert set(seconds["block"]) == {"block-00", "block-01"} and set(seconds["replicate"]) == {0, 1}
    beside = table[table["metric"] == "decode_seconds.L48-B2-bfloat16"]
    assert set(beside["block"]) == {"block-02"} and len(beside) == 2 * len(ARMS)
    part = table[table["metric"] == "attention_seconds"]["value"].to_numpy()
    assert (part > 0).all() and (part < seconds["value"].to_numpy()).all()
    for arm, kind in zip(ARMS, ["mla", "mla", "mha", "gqa-8", "mqa"], strict=True):
        rows = table[table["arm"] == arm].groupby("metric")["value"]
        elements = closed_form_elements(kind, {"deepseek-r1": SMALL})
        assert set(rows.get_group("cache_bytes")) == {32 * 4 * elements}
        assert set(rows.get_group("cache_bytes.L48-B2-bfloat16")) == {48 * 2 * 2 * elements}
        assert rows.get_group("difference").max() < 1e-5
        rate = rows.get_group("bytes_touched").iloc[0] / rows.get_group("attention_seconds")
        assert sorted(rate) == pytest.approx(sorted(rows.get_group("achieved_bandwidth")))


def test_a_long_step_is_not_repeated(here, monkeypatch):
    monkeypatch.setattr(attention, "ENOUGH", 1e-9)
    table = attention.observe(SMALL, SETTINGS.model_copy(update={"repetitions": 9}), RUN)
    assert table["replicate"].max() == 0


def test_another_result_is_not_timed(here, monkeypatch):
    monkeypatch.setattr(attention, "TOLERANCE", -1)
    with pytest.raises(ValueError, match=r"arm .* differs from transformers' layer"):
        attention.observe(SMALL, SETTINGS, RUN)


@pytest.mark.slow
def test_processes_of_their_own(short):
    table = attention.observe(SMALL, SETTINGS, RUN)
    places = table[table["metric"] == "position"].groupby("block")["value"]
    assert set(places.sum()) == {10.0}
