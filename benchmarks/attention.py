"""One decoding step of R1's attention, 4,096 tokens cached: ours, transformers' and expanded MHA.

All compute the same function of the same weights and take turns in one process. transformers
(DeepseekV3Attention with its DynamicCache, PyTorch's fused attention) appends to its cache, so the
token is taken off again between two steps, outside the clock; it runs at batch 1 only. The expanded
cache is tried in our layout (rows of tokens) and in the usual one (rows of widths).
"""

import statistics
import time
from pathlib import Path

import machine
import torch
from kensho.bench.attention import seconds
from kensho.bench.kv_cache import R1
from kensho.models.attention import build, hidden_states
from kensho.models.cards import load
from transformers import DynamicCache

CARDS = Path(__file__).parents[1] / "resources" / "architectures.yaml"
LENGTH, ROUNDS = 4096, 7


class Transformers:
    """transformers' layer with its own cache, timed like ours (the whole step only)."""

    def __init__(self, layer, entries: torch.Tensor):
        self.layer, self.cache = layer, DynamicCache()
        parts = entries.transpose(2, 3)[:, :, :-1].split([layer.kv_lora_rank, 64], dim=-1)
        self.cache.update(*(part.contiguous() for part in parts), 0)

    def step(self, hidden, rope) -> tuple[float, torch.Tensor]:
        began = time.perf_counter()
        output, _ = self.layer(hidden, rope, None, past_key_values=self.cache)
        took = time.perf_counter() - began
        self.cache.crop(-1)
        return took, output


@torch.inference_mode()
def compare(batch: int) -> None:
    where = {"dtype": torch.float32, "device": "cpu"}
    card = load(CARDS)[R1]
    latent, expanded = (build(arm, card, seed=0, **where) for arm in ("mla-latent", "mha"))
    expanded.layer = latent.layer  # the same weights
    latent.layer.config._attn_implementation = "sdpa"
    states = hidden_states(64 + batch, latent.config, **where)
    hidden = states[0, 64:, None]
    rope = latent.rope(torch.tensor([LENGTH - 1]), hidden)
    ours, rows = (form.filled(states[:, :64], batch, LENGTH) for form in (latent, expanded))
    usual = tuple(part.transpose(2, 3).contiguous().transpose(2, 3) for part in rows)
    contenders = {
        "mla-latent": (latent, ours),
        "mha": (expanded, rows),
        "mha, usual layout": (expanded, usual),
    }
    theirs = Transformers(latent.layer, ours[0]) if batch == 1 else None
    reference = theirs.step(hidden, rope)[1] if theirs else latent.decode(hidden, rope, ours)
    for name, (form, cache) in contenders.items():  # warm-up; only equal answers are compared
        difference = (form.decode(hidden, rope, cache) - reference).abs().max()
        assert difference < 1e-4 * reference.abs().max(), name
    whole, part = {}, {}
    for _ in range(ROUNDS):
        if theirs:
            whole.setdefault("transformers", []).append(theirs.step(hidden, rope)[0])
        for name, (form, cache) in contenders.items():
            times = seconds(form, hidden, rope, cache)
            for kind, took in zip((whole, part), times, strict=True):
                kind.setdefault(name, []).append(took)
    print(f"\nbatch {batch}: median of {ROUNDS} steps in ms, and ratio to mla-latent")
    print(f"{'':18} {'whole layer':>20} {'what meets the cache':>22}")
    for name in whole:
        line = f"{name:18}"
        for kind in (whole, part):
            if name in kind:
                took, least = (statistics.median(kind[n]) for n in (name, "mla-latent"))
                line += f" {1e3 * took:12.1f} {took / least:8.2f}"
        print(line)


def main() -> None:
    print(machine.describe())
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32")
    for batch in (1, 4):
        compare(batch)


if __name__ == "__main__":
    main()
