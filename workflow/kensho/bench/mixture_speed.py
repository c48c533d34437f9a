"""R-3: tokens per second and peak memory of a mixture of experts and of dense models.

The models have random weights and the mixture's proportions: its head width, its heads per
key-value head, its feed-forward width per hidden width, its share of operations in the output
layer. At the card's own hidden size they are its real layers, only fewer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from kensho.bench.blocks import interleaved, observed
from kensho.bench.mixture_flops import MIXTURE, build, models
from kensho.bench.run import Inputs, Observed, Run
from kensho.models.cards import Card, load
from kensho.models.loading import LAUNCHED, compute_dtype, device, weights
from kensho.models.ran import of_card
from kensho.models.reference import Base, base
from kensho.train.memory import peak_bytes, reset_peak, resident_bytes

if TYPE_CHECKING:
    from kensho.bench.settings import MixtureSpeed as Settings

EXPERIMENT = "mixture_speed"
MIXED = "mixture"  # the arm
UNITS = {
    "prefill_tokens_per_second": "tokens/s",
    "decode_tokens_per_second": "tokens/s",
    "peak_memory_bytes": "bytes",
    "warmup_seconds": "s",
}
ROUTING = ("experts_total", "experts_per_token", "experts_used_by_prompt")  # of the mixture alone
EXPERTS = "grouped_mm"  # transformers' kernel: one grouped product over the experts that run
PASSES = 3  # prompts timed by one process
STRIDE = 7919  # a prime: the prompt's tokens spread over the vocabulary


def reduced(card: Card, hidden_size: int, layers: int) -> Card:
    """The card with another hidden size and number of layers, in the same proportions.

    Raises ValueError unless the hidden size holds whole groups of heads.
    """
    full, heads, kv_heads = map(
        card.size, ("hidden_size", "num_attention_heads", "num_key_value_heads")
    )
    group = full // kv_heads
    if hidden_size % group:
        raise ValueError(f"mixture_speed: hidden_size {hidden_size} is no multiple of {group}")
    share = hidden_size * layers / (full * card.size("num_hidden_layers"))
    changed = {
        "hidden_size": hidden_size,
        "intermediate_size": card.size("intermediate_size") * hidden_size // full,
        "num_attention_heads": heads * hidden_size // full,
        "num_key_value_heads": hidden_size // group,
        "num_hidden_layers": layers,
        "vocab_size": max(256, round(card.size("vocab_size") * share)),
    }
    return card.model_copy(update={"config": {**card.config, **changed}})


def observe(card: Card, settings: Settings, run: Run, folder: Path | None = None) -> pd.DataFrame:
    """Observation table of mixture, dense-total and dense-active, a fresh process for each run.

    Metrics: tokens per second of a prompt and of tokens decoded one by one (batch 1), peak memory
    with the weights, and of the mixture, which is that of ``folder`` if any, how many experts ran.
    """
    runs = {
        arm: partial(run_arm, model_type, sizes, settings, run, folder if arm == MIXED else None)
        for arm, (model_type, sizes) in models(card).items()
    }
    architectures = [f"transformers.models.{name}.modeling_{name}" for name in ("llama", "mixtral")]
    results = interleaved(runs, settings.blocks, run, preload=[*architectures, __name__])
    return observed(EXPERIMENT, results, UNITS | dict.fromkeys(ROUTING, "experts"))


@torch.inference_mode()
def run_arm(
    model_type: str, sizes: Mapping, settings: Settings, run: Run, folder: Path | None
) -> dict:
    """One process: build or load, warm up with a prompt and a step, time prompts and decoding."""
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.seed)
    prompt, dtype = settings.prompt, compute_dtype(settings.dtype)
    place, mixture = device(), "num_local_experts" in sizes
    kernels: dict[str, Any] = {"experts_implementation": EXPERTS} if mixture else {}
    before = resident_bytes() if place == "cpu" else 0
    reset_peak()
    with torch.device(place):
        if folder is None:
            model = build(model_type, sizes, dtype=dtype, **kernels).eval()
        else:
            model = weights(folder, dtype, **kernels).eval()
            sizes = model.config.to_dict()
        ids = (torch.arange(prompt) * STRIDE % sizes["vocab_size"]).unsqueeze(0)
    _, warmup = _timed(lambda: _decode(model, _read(model, ids), 1))
    read = [_timed(lambda: _read(model, ids)) for _ in range(PASSES)]
    _, decoding = _timed(lambda: _decode(model, read[-1][0], settings.new_tokens))
    return {
        "prefill_tokens_per_second": PASSES * prompt / sum(seconds for _, seconds in read),
        "decode_tokens_per_second": settings.new_tokens / decoding,
        "peak_memory_bytes": peak_bytes() - before,
        "warmup_seconds": warmup,
        **(_routing(model, ids, sizes) if mixture else {}),
    }


def _read(model, ids):
    """One prompt, logits of its last token only."""
    return model(ids, use_cache=True, logits_to_keep=1)


def _decode(model, read, steps: int) -> None:
    """Greedy decoding behind a prompt; the first token was the prompt's own."""
    for _ in range(steps):
        token = read.logits[:, -1:].argmax(-1)
        read = model(token, past_key_values=read.past_key_values, use_cache=True)


def _timed(work) -> tuple:
    """What the work returns, and its seconds, the accelerator's queue included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    done = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return done, time.perf_counter() - began


def _routing(model, ids: torch.Tensor, sizes: Mapping) -> dict[str, float]:
    """Experts there are, experts run for each token, and different experts that a prompt meets.

    The last is a mean over layers. Raises ValueError if a token meets other than the configured
    number of different experts.
    """
    chosen: list[torch.Tensor] = []  # by layer: tokens x experts per token
    hooks = [
        layer.mlp.gate.register_forward_hook(lambda *call: chosen.append(call[-1][-1]))
        for layer in model.model.layers
    ]
    _read(model, ids)
    for hook in hooks:
        hook.remove()
    per_token = {len(set(token)) for layer in chosen for token in layer.tolist()}
    if per_token != {sizes["num_experts_per_tok"]}:
        raise ValueError(f"tokens met {sorted(per_token)} different experts")
    used = [layer.unique().numel() for layer in chosen]
    counts = (sizes["num_local_experts"], sizes["num_experts_per_tok"], sum(used) / len(used))
    return dict(zip(ROUTING, counts, strict=True))


def conditions(
    card: Card, full: Card, settings: Settings, run: Run, model: Base | None = None
) -> dict:
    """What was run: a published mixture, or random weights of its dimensions or smaller ones.

    The dense models are constructions of the claim: no operation of theirs depends on weights.
    """
    dimensions = ("hidden_size", "num_hidden_layers")
    real = all(card.config[size] == full.config[size] for size in dimensions)
    return {
        "ran": {"models": [model.ran() if model else of_card(card, whole=real)]},
        "dtype": str(compute_dtype(settings.dtype)).removeprefix("torch."),
        "device": device(),
        "batch": 1,
        "own": {
            "experts_implementation": EXPERTS,
            "dimensions": {arm: sizes for arm, (_, sizes) in models(card).items()},
            "prompt": settings.prompt,
            "new_tokens": settings.new_tokens,
        },
        **run.timing(settings.blocks),
        "warmup": "one prompt and one step per process, recorded apart; building is not timed",
        "fallbacks": [] if torch.cuda.is_available() else ["no accelerator: cpu"],
        "deviations": [
            f"{card.config['num_hidden_layers']} layers of hidden size "
            f"{card.config['hidden_size']} instead of {full.config['num_hidden_layers']} of "
            f"{full.config['hidden_size']}, in the same proportions",
            "the dense models have random weights",
            *([] if model else ["a router of random weights spreads tokens by chance"]),
            *([LAUNCHED] if device() == "cuda" else []),
        ],
    }


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """All arms, in the size of the settings."""
    full = load(inputs["cards"])[MIXTURE]
    model = base(inputs["model"]) if "model" in inputs else None
    whole = model and model.as_card
    card = full if whole else reduced(full, settings.hidden_size, settings.layers)
    table = observe(card, settings, run, model.folder if model else None)
    return [(table, conditions(card, full, settings, run, model))]
