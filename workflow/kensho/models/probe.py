"""Whether an accelerator computes what the processor computes, asked before anything is observed.

Accelerators have been wrong without a word: one MI300X stack answered none of GSM8K's questions
where .93 were right elsewhere, another gave NaN. A small Llama with the same weights runs on both,
padding included: logits, loss and the gradient of all weights.
"""

import math

import torch
from transformers import LlamaConfig, LlamaForCausalLM

# ||a - b|| / ||b|| at most. Rounding in other orders: about 1e-6 in float32; 2e-2 between bfloat16
# and float32 on processors, so that two devices in bfloat16 differ by less than thrice that.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 6e-2}
ROWS, LENGTH, PADDED = 4, 64, 16  # the first row ends in padding


def small_model() -> LlamaForCausalLM:
    """Two layers on the processor in float32, the same at every call; torch's seed stays."""
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return LlamaForCausalLM(config)


def outputs(model: LlamaForCausalLM, on: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Logits at real tokens, loss and gradient, in float32 on the processor."""
    torch.nn.Module.to(model, on, dtype)  # in place
    ids = torch.arange(ROWS * LENGTH, device=on).mul(37).remainder(512).view(ROWS, LENGTH)
    mask = torch.ones_like(ids)
    mask[0, -PADDED:] = 0
    result = model(ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100))
    result.loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    parts = {"logits": result.logits[mask == 1], "loss": result.loss, "gradient": gradient}
    return {name: part.detach().float().cpu() for name, part in parts.items()}


def differences(
    ours: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]
) -> dict[str, float]:
    """Relative distance ||a - b|| / ||b|| of each; infinite where something is not finite."""
    distances = {}
    for name, part in expected.items():
        distance = float((ours[name] - part).norm() / part.norm())
        distances[name] = distance if math.isfinite(distance) else math.inf
    return distances


def check(on: str) -> dict[str, float]:
    """Differences of device ``on`` by dtype and output.

    Raises ValueError where one is beyond the tolerance.
    """
    measured, faults = {}, []
    for dtype, most in TOLERANCE.items():
        kind = str(dtype).removeprefix("torch.")
        expected = outputs(small_model(), "cpu", dtype)
        for part, distance in differences(outputs(small_model(), on, dtype), expected).items():
            measured[f"{kind} {part}"] = distance
            if distance > most:
                faults.append(f"{part} in {kind} by {distance:.2g} (at most {most:g})")
    if faults:
        name = torch.cuda.get_device_name(on) if on.startswith("cuda") else on
        raise ValueError(
            f"{name} does not compute what the processor computes: {'; '.join(faults)}; nothing "
            "was observed; mend driver, torch build or ROCm variables, or take another node"
        )
    return measured
