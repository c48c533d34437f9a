"""An adapter is merged where that is exact to rounding, and refused where it does nothing."""

import pytest
import torch
from kensho.models.loading import load, probe_logits
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM


@pytest.fixture
def adapter(tiny_model, tmp_path):
    """Folder of an adapter of the tiny model; its B matrices are scaled by the given number."""

    def write(scale, name="adapter"):
        torch.manual_seed(len(name))
        model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
        adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
        for layer, weight in adapted.named_parameters():
            if "lora_B" in layer:
                torch.nn.init.normal_(weight, std=scale)
        adapted.save_pretrained(tmp_path / name)
        return tmp_path / name

    return write


def test_a_merged_adapter_answers_as_the_adapter_beside_its_base(tiny_model, adapter):
    folder = adapter(0.5)
    model, tokenizer = load(tiny_model, torch.float32, folder)
    base, _ = load(tiny_model, torch.float32)
    beside = PeftModel.from_pretrained(base, folder).eval()
    assert not isinstance(model, PeftModel)
    apart = probe_logits(beside, tokenizer)
    torch.testing.assert_close(probe_logits(model, tokenizer), apart, rtol=1e-4, atol=1e-5)


def test_an_adapter_that_changes_nothing_is_refused(tiny_model, adapter):
    with pytest.raises(ValueError, match="does not change the logits"):
        load(tiny_model, torch.float32, adapter(0))


def test_in_half_precision_the_adapter_stays_beside_its_base(tiny_model, adapter):
    model, _ = load(tiny_model, torch.bfloat16, adapter(0.5))
    assert isinstance(model, PeftModel)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_two_adapters_both_count(tiny_model, adapter, dtype):
    first, second = adapter(0.5), adapter(0.5, "second")

    def logits(dtype, *adapters):
        return probe_logits(*load(tiny_model, dtype, *adapters)).float()

    both, exact = (logits(kind, first, second) for kind in (dtype, torch.float32))
    alone = [logits(torch.float32, one) for one in (first, second)]
    assert (both - exact).abs().max() < 0.1 * min((one - exact).abs().max() for one in alone)
