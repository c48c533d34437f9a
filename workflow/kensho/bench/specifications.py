"""F-9, F-13: figures of specification, read from architecture and hardware cards.

Nothing runs: a model's parameters are counted on tensors without storage, twice over, and its
context is what its configuration admits; a cache is what its vendor specifies.
"""

from collections.abc import Mapping

import pandas as pd

from kensho.bench.run import Inputs, Observed, Run
from kensho.models import cards as architectures
from kensho.models import hardware
from kensho.models.cards import Card
from kensho.models.hardware import Hardware
from kensho.observations import Row, table

EXPERIMENT = "specifications"
MODEL, ACCELERATOR = "deepseek-r1", "mi300x"


def parameters(card: Card) -> dict[str, int]:
    """Parameters of a mixture with latent attention from its dimensions alone.

    Metrics ``parameters``, ``parameters_active`` (met by one token: all but the experts that are
    not chosen) and ``parameters_multiplied`` (of these, without the embedding, which is a look-up).
    DeepSeek-V3 (arXiv 2412.19437), sections 2.1 and 4.2; the correction that balances the router's
    load, one number an expert, is no parameter. Raises ValueError where the card lacks a dimension.
    """
    hidden, heads = card.size("hidden_size"), card.size("num_attention_heads")
    query, latent = card.size("q_lora_rank"), card.size("kv_lora_rank")
    rope, value = card.size("qk_rope_head_dim"), card.size("v_head_dim")
    key = card.size("qk_nope_head_dim")
    attention = hidden * query + query + query * heads * (key + rope)
    attention += hidden * (latent + rope) + latent + latent * heads * (key + value)
    attention += heads * value * hidden
    expert = 3 * hidden * card.size("moe_intermediate_size")
    routed, chosen = card.size("n_routed_experts"), card.size("num_experts_per_tok")
    layers, dense = card.size("num_hidden_layers"), card.size("first_k_dense_replace")
    embedding = card.size("vocab_size") * hidden
    shared = layers * (attention + 2 * hidden) + hidden + 2 * embedding
    shared += dense * 3 * hidden * card.size("intermediate_size")
    mixtures = layers - dense
    shared += mixtures * (card.size("n_shared_experts") * expert + hidden * routed)
    active = shared + mixtures * chosen * expert
    return {
        "parameters": shared + mixtures * routed * expert,
        "parameters_active": active,
        "parameters_multiplied": active - embedding,
    }


def observe_model(card: Card) -> pd.DataFrame:
    """Arm of a model.

    Layers of a kind are alike, so the count is held against a model with all of one kind and one of
    the other. Raises ValueError if that is built with another number of parameters.
    """
    layers = card.size("first_k_dense_replace") + 1
    thin = card.model_copy(update={"config": {**card.config, "num_hidden_layers": layers}})
    built, counted = architectures.parameter_count(thin), parameters(thin)["parameters"]
    if built != counted:
        raise ValueError(
            f"{card.name}, {layers} layers: {built} parameters are built, {counted} by the formula"
        )
    counts = parameters(card)
    values = [(metric, count, "parameters") for metric, count in counts.items()]
    values += [("billion", 10**9, "parameters")]
    values += [("context", card.size("max_position_embeddings"), "tokens"), ("k", 1024, "tokens")]
    return table(Row(EXPERIMENT, card.name, "card", 0, *value) for value in values)


def observe_hardware(card: Hardware) -> pd.DataFrame:
    """Arm of an accelerator. Raises ValueError for a card that gives no last level of cache."""
    size, rate = card.last_level_cache_bytes, card.last_level_cache_bytes_per_s
    if size is None or rate is None:
        key = "last_level_cache_bytes" + ("" if size is None else "_per_s")
        raise ValueError(f"{card.name}: the card gives no {key}; add it with its source")
    values = [
        ("cache_bytes", size, "bytes"),
        ("cache_bytes_per_second", rate, "bytes/s"),
        ("terabyte", 10**12, "bytes/s"),
        ("mebibyte", 2**20, "bytes"),
    ]
    return table(Row(EXPERIMENT, card.name, "card", 0, *value) for value in values)


def conditions(alone: str, source: str) -> dict:
    """Figures that follow from a published specification alone."""
    return {
        "ran": {"models": [], "follows_from": alone},
        "dtype": "none",
        "warmup": "none: a specification does not depend on time",
        "fallbacks": [],
        "own": {"source": source},
        "deviations": [],
    }


def experiment(inputs: Inputs, settings: object, run: Run) -> Observed:
    """Both arms."""
    model: Mapping[str, Card] = architectures.load(inputs["cards"])
    devices: Mapping[str, Hardware] = hardware.load(inputs["hardware"])
    read, vendor = model[MODEL], devices[ACCELERATOR]
    return [
        (observe_model(read), conditions("the published configuration", read.source)),
        (observe_hardware(vendor), conditions("the vendor's specification", vendor.source)),
    ]
