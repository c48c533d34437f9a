"""R-3: operations per token of a mixture of experts and of dense models of its sizes.

The models have their real dimensions but no storage (meta device); torch counts the operations of
every matrix product, and each count must equal the closed form to the operation.
"""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from kensho.bench.run import Inputs, Observed, Run
from kensho.models.cards import Card, load
from kensho.observations import Row, table

EXPERIMENT = "mixture_flops"
LENGTHS = (1, 512, 2048, 8192)  # tokens of context; the claim reads each
MIXTURE = "rakutenai-2.0-8x7b"
UNITS = {
    "flops_per_token": "FLOP",
    "feed_forward_flops_per_token": "FLOP",
    "parameters_total": "parameters",
    "parameters_active": "parameters",
}


def models(card: Card) -> dict[str, tuple[str, dict]]:
    """Model type and dimensions of each arm: the mixture and two dense models.

    The dense models have the mixture's layers with one feed-forward network in place of the
    experts: as wide as all of them (equal total size) or as those that run for one token (equal
    active size). Both are without the router, some millionths of the whole.
    """
    experts, active = card.size("num_local_experts"), card.size("num_experts_per_tok")
    shared = {
        key: value
        for key, value in card.config.items()
        if key not in ("num_local_experts", "num_experts_per_tok")
    }

    def dense(times: int) -> tuple[str, dict]:
        return "llama", {**shared, "intermediate_size": times * card.size("intermediate_size")}

    return {
        "mixture": (card.model_type, dict(card.config)),
        "dense-total": dense(experts),
        "dense-active": dense(active),
    }


def build(model_type: str, sizes: Mapping, **settings) -> PreTrainedModel:
    """A causal language model with random weights; settings as of transformers' from_config."""
    config = AutoConfig.for_model(model_type, **sizes)
    return AutoModelForCausalLM.from_config(config, **settings)


def closed_form(sizes: Mapping, length: int) -> dict[str, int]:
    """Metrics of :data:`UNITS` from dimensions alone, at a prompt of ``length`` tokens.

    A product of a matrix of m x n with a vector takes 2mn operations. A token attends to the whole
    prompt: the masked half is computed too, as in transformers' plain attention, which equals the
    operations of a token decoded behind a context of that length. Norms, rotary embedding, softmax
    and activations, which are no matrix products, are left out; so is the embedding, a look-up.
    """
    h, f = sizes["hidden_size"], sizes["intermediate_size"]
    heads, kv_heads = sizes["num_attention_heads"], sizes["num_key_value_heads"]
    width = h // heads
    experts, active = sizes.get("num_local_experts", 1), sizes.get("num_experts_per_tok", 1)
    router = h * experts if experts > 1 else 0
    layers, vocabulary = sizes["num_hidden_layers"], sizes["vocab_size"]
    projections = h * width * (2 * heads + 2 * kv_heads)
    expert = 3 * h * f
    running = projections + router + active * expert
    context = 4 * length * heads * width
    total = layers * (running + (experts - active) * expert + 2 * h) + 2 * vocabulary * h + h
    return {
        "flops_per_token": layers * (2 * running + context) + 2 * vocabulary * h,
        "feed_forward_flops_per_token": layers * 2 * (router + active * expert),
        "parameters_total": total,
        "parameters_active": total - layers * (experts - active) * expert,
    }


def counted(model: PreTrainedModel, length: int) -> dict[str, float]:
    """Operations per token that torch counts in one pass of a prompt over a model on meta."""
    ids = torch.zeros(1, length, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        model(ids, use_cache=True)  # without a cache, packing is looked for in the values
    by_module = counter.get_flop_counts()
    feed_forward = sum(
        sum(operations.values()) for name, operations in by_module.items() if name.endswith(".mlp")
    )
    return {
        "flops_per_token": counter.get_total_flops() / length,
        "feed_forward_flops_per_token": feed_forward / length,
    }


def parameters(model: PreTrainedModel, sizes: Mapping) -> dict[str, int]:
    """Parameters of the built model: all, and those that one token meets."""
    total = sum(parameter.numel() for parameter in model.parameters())
    experts = sum(
        parameter.numel() for name, parameter in model.named_parameters() if ".experts." in name
    )
    idle = 0
    if experts:
        share = sizes["num_experts_per_tok"] / sizes["num_local_experts"]
        idle = experts - round(share * experts)
    return {"parameters_total": total, "parameters_active": total - idle}


def observe(card: Card, lengths: Sequence[int] = LENGTHS) -> pd.DataFrame:
    """Observation table: operations per token in a block of each length, parameters in ``model``.

    Raises ValueError if a count differs from the closed form.
    """
    rows: list[Row] = []
    for arm, (model_type, sizes) in models(card).items():
        with torch.device("meta"):
            # plain attention and one product per token and expert: what the counter can see
            settings = {"attn_implementation": "eager"}
            if arm == "mixture":
                settings["experts_implementation"] = "batched_mm"
            model = build(model_type, sizes, **settings).eval()
        rows += _checked(arm, "model", parameters(model, sizes), closed_form(sizes, 0))
        for length in lengths:
            flops, formula = counted(model, length), closed_form(sizes, length)
            rows += _checked(arm, f"length-{length}", flops, formula)
    return table(rows)


def _checked(arm: str, block: str, counts: Mapping, formula: Mapping) -> Iterator[Row]:
    for metric, value in counts.items():
        if value != formula[metric]:
            raise ValueError(
                f"{arm}, {block}: {metric} is {value}, by the closed form {formula[metric]}"
            )
        yield Row(EXPERIMENT, arm, block, 0, metric, value, UNITS[metric])


def conditions() -> dict:
    """The counts follow from the architecture alone."""
    return {
        "ran": {"models": [], "follows_from": "the architecture"},
        "dtype": "none: meta device",
        "warmup": "none: a count does not depend on time",
        "own": {
            "counter": "torch.utils.flop_counter: matrix products, 2 operations for each "
            "multiply-add"
        },
        "fallbacks": [],
        "deviations": [
            "logits are counted for every token of the prompt, as if each were decoded",
            "attention is counted over the whole prompt, the masked half included",
        ],
    }


def experiment(inputs: Inputs, settings: object, run: Run) -> Observed:
    """All arms."""
    return [(observe(load(inputs["cards"])[MIXTURE]), conditions())]
