"""Packed rows have the loss and the gradients of padded ones, in every architecture that is fit."""

import json

import pytest
import torch
from kensho.models import twins
from kensho.train.loop import collated, packed_loss, summed_loss
from kensho.train.packing import FIT, line, unfit
from kensho.train.targets import MODULES
from transformers import AutoModelForCausalLM

SHARED = [5, 6, 7, 8, 9, 10]
LONG = [11 + i % 17 for i in range(40)]  # longer than the twins' sliding window
ROWS = [
    [*SHARED, 11, 12, 13],
    [*SHARED, 11, 14],
    [*SHARED, *LONG],
    [6, 7],
    [*SHARED, 11, 14],  # the second once more
    [4],
]
BATCH = [{"input_ids": ids, "labels": [-100, *ids[1:]]} for ids in ROWS]


def model_of(model_type, tmp_path):
    folder = twins.make(model_type, tmp_path / "twin", seed=1, shard_bytes=10**9)
    config = json.loads((folder / "config.json").read_text())
    without = {name: 0.0 for name in config if name.endswith("_pdrop")}
    (folder / "config.json").write_text(json.dumps(config | without))
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()


def test_a_beginning_that_rows_share_stands_in_the_line_once():
    packed = line([[5, 6, 7], [5, 6, 8], [6, 7]], "cpu")
    assert packed.ids.tolist() == [5, 6, 7, 8, 6, 7]
    assert packed.positions.tolist() == [0, 1, 2, 2, 0, 1]
    assert packed.nodes.tolist() == [[0, 1, 2], [0, 1, 3], [4, 5, 5]]
    assert packed.places.tolist() == [0, 1, 2, 5, 6, 7]
    with pytest.raises(ValueError, match="has no tokens; leave it out"):
        line([[5], []], "cpu")


@pytest.mark.parametrize("model_type", FIT)
def test_loss_and_gradients_are_those_of_padded_rows(model_type, tmp_path):
    model = model_of(model_type, tmp_path)
    assert unfit(model) is None
    before = model.config._attn_implementation
    losses, gradients = [], []
    for loss in (
        packed_loss(model, BATCH),
        summed_loss(model, **collated(BATCH, pad=1)),
    ):
        model.zero_grad()
        loss.backward()
        losses.append(loss.item())
        gradients.append(
            {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        )
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-3, atol=2e-4, msg=name)
    assert model.config._attn_implementation == before


def test_rows_in_16_bit_are_those_of_padded_ones(tmp_path):
    model = model_of("llama", tmp_path).to(torch.bfloat16)
    packed, padded = packed_loss(model, BATCH), summed_loss(model, **collated(BATCH, pad=1))
    assert packed.item() == pytest.approx(padded.item(), rel=1e-2)


@pytest.mark.parametrize("model_type", sorted({*MODULES} - {*FIT}))
def test_other_architectures_say_why_their_rows_are_padded(model_type, tmp_path):
    assert f"tokens of a {model_type} meet" in unfit(model_of(model_type, tmp_path))


def test_dropout_is_not_shared(tmp_path):
    model = model_of("llama", tmp_path)
    model.config.attention_dropout = 0.1
    assert "dropout" in unfit(model)


def test_a_batch_with_nothing_to_learn_has_no_loss(tmp_path):
    model = model_of("llama", tmp_path)
    assert packed_loss(model, [{"input_ids": [4], "labels": [4]}]).item() == 0
