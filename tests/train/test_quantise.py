"""Weights as GGUF: what is refused, and (where `make gguf` was run) what the file holds."""

import pandas as pd
import pytest
import torch
from kensho.models.loading import weights
from kensho.models.reference import Adapter, Reference
from kensho.train import quantise
from kensho.train.methods import NONE
from kensho.train.run import Training
from special_twins import convertible
from test_sft import SCHEDULE


def run(base, folder, named="q8_0"):
    own = {"name": "quantise", "seed": 1, "method": NONE, "learning_rate": 0.0}
    training = Training(**{**SCHEDULE, **own}, settings={"format": named})
    call = (base, pd.DataFrame(), folder / "model", folder / "checkpoints", training)
    return quantise.stage(*call)


def test_what_has_no_such_format_is_refused(tiny_model, tmp_path, monkeypatch):
    base = Reference.of(tiny_model)
    monkeypatch.setattr(quantise, "HERE", tmp_path)
    with pytest.raises(
        ValueError, match=r"rows of 32, which blocks of 256 \(q4_k_m\).*; take q8_0"
    ):
        run(base, tmp_path, "q4_k_m")
    with pytest.raises(ValueError, match=r"llama.cpp is not installed; run `make gguf`"):
        run(base, tmp_path)
    adapter = Adapter(path="a", sha256="0", method="lora")
    with pytest.raises(ValueError, match="its model has adapters; add the stage merge before it"):
        run(base.model_copy(update={"adapters": [adapter]}), tmp_path)
    assert not (tmp_path / "model").exists()


def test_what_the_converter_says_is_handed_on(tiny_model, tmp_path, monkeypatch):
    (tmp_path / "installed").touch()
    (tmp_path / "convert_hf_to_gguf.py").write_text("raise SystemExit('no such tokenizer')")
    monkeypatch.setattr(quantise, "HERE", tmp_path)
    with pytest.raises(
        ValueError, match=r"LlamaForCausalLM.*convert it \(no such tokenizer\); leave"
    ):
        run(Reference.of(tiny_model), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("named", "bits"), [("q8_0", 8.5), ("q4_k_m", 6.7)])
def test_the_file_holds_the_weights_to_rounding(tmp_path, named, bits):
    if not (quantise.HERE / "installed").is_file():
        pytest.skip("llama.cpp is not installed: `make gguf`")
    folder = convertible(tmp_path / "twin")
    base = weights(folder, torch.float32)
    steps, measured = run(Reference.of(folder), tmp_path, named)
    after = weights(tmp_path / "model", torch.float32)
    for name, one in base.state_dict().items():
        apart = (after.state_dict()[name] - one).abs().max() / one.abs().max()
        assert apart < 2.0 ** -(bits - 3), name
    assert steps.empty
    count = sum(p.numel() for p in base.parameters())
    file = tmp_path / "model/model.gguf"
    assert file.stat().st_size == measured.own["gguf_bytes"]
    assert measured.own["gguf_bytes"] < count * bits / 8 + 400_000  # the tokenizer is in it
    assert not [*(tmp_path / "checkpoints").glob("*.gguf")]
