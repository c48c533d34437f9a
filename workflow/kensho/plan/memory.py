"""Memory of jobs that run or train a model, from its card.

Training takes what :mod:`kensho.train.plan` says where that knows architecture and adapters. Else:
weights, gradients and AdamW's moments in float32, 34 bytes (in 16 bit) of activations per hidden
unit, token and layer (Korthikanti et al. 2022, arXiv 2205.05198, section 4.1, without the attention
matrix), and logits; a targeted matrix counts as hidden x intermediate. Running takes weights and
cache, and logits where whole texts are scored.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from kensho.models import cards
from kensho.models.cards import Card
from kensho.plan.work import Training, Work
from kensho.train.methods import Method, own
from kensho.train.plan import BYTES, PLANNABLE, TARGETS, Step, plan, sizes

NF4 = (
    4.127 / 8
)  # bytes of a weight with its scales (Dettmers et al. 2023, arXiv 2305.14314, sec. 3)
Dtype = Literal["float32", "bfloat16"]


class Size(NamedTuple):
    """Sizes of a card; ``active`` are the parameters that one token meets."""

    card: Card
    parameters: int
    active: int
    layers: int
    hidden: int
    inner: int
    vocabulary: int


def size_of(card: Card) -> Size:
    """Where nobody published the parameters they are counted."""
    config = card.config

    def one(*names: str) -> int:
        return next(card.size(name) for name in names if name in config)

    layers, hidden = one("num_hidden_layers", "n_layer"), one("hidden_size", "n_embd")
    inner, vocabulary = one("intermediate_size", "n_inner"), one("vocab_size")
    parameters, idle = card.parameters or _counted(card), 0
    if "num_experts_per_tok" in config:
        idle_experts = one("num_local_experts", "n_routed_experts") - one("num_experts_per_tok")
        wide = one("moe_intermediate_size", "intermediate_size")
        dense = one("first_k_dense_replace") if "first_k_dense_replace" in config else 0
        idle = (layers - dense) * idle_experts * 3 * hidden * wide
    return Size(card, parameters, parameters - idle, layers, hidden, inner, vocabulary)


def _counted(card: Card) -> int:
    """Without torch, which takes seconds, where shapes are known."""
    if card.model_type == "gpt2":
        hidden, inner = card.size("n_embd"), card.size("n_inner")
        layer = 4 * hidden**2 + 2 * hidden * inner + inner + 9 * hidden  # biases and two norms
        tables = card.size("vocab_size") + card.size("n_positions")
        return card.size("n_layer") * layer + hidden * (tables + 2)
    if card.model_type in ("mistral", "mixtral"):
        hidden, heads = card.size("hidden_size"), card.size("num_attention_heads")
        cached = 2 * hidden * card.size("num_key_value_heads") // heads  # width of keys and values
        experts = card.size("num_local_experts") if card.model_type == "mixtral" else 1
        router = experts if experts > 1 else 0
        feed = 3 * card.size("intermediate_size") * experts
        layer = hidden * (2 * hidden + cached + feed + router + 2)
        tables = 2 * card.size("vocab_size") + 1  # with the last norm
        return card.size("num_hidden_layers") * layer + hidden * tables
    if card.model_type not in PLANNABLE:
        return cards.parameter_count(card)
    shape = sizes(card)
    layer = sum(a * b for a, b in shape.matrices.values()) + sum(shape.layer_vectors)
    tables = (1 if shape.tied else 2) * shape.vocabulary * shape.hidden
    return shape.layers * layer + tables + sum(shape.final_vectors)


def peak(size: Size, work: Work, dtype: Dtype, devices: int = 1) -> float:
    """Bytes that a job holds at most on the fullest of its devices."""
    width, tokens = BYTES[dtype], work.batch * work.length
    cache = cards.cache_elements_per_token_layer(size.card) * size.layers * tokens * width
    logits = tokens * size.vocabulary * (width + 4) if work.logits else 0
    running = (size.parameters * width + cache) / devices + logits  # layer by layer
    if not work.training:
        return running
    beside = work.copies * size.parameters * width
    return max(running, trained(size, work.training, dtype, devices)[0]) + beside


def trained(size: Size, training: Training, dtype: Dtype, devices: int = 1) -> tuple[float, float]:
    """Peak bytes of a training step on one device, and bytes of the weights that it leaves.

    Several devices share weights, gradients and moments (FSDP2) and the rows of a step; each holds
    besides its share the weights of two layers, the one at work and the next, and the embeddings
    with their gradient. Whole weights that are computed in 16 bit have a copy in it (autocast).
    """
    method, settings = training.by, own(training.settings)
    if method.tensors is None and not method.whole:
        raise ValueError(
            f"memory of method {method.name} is not planned: PEFT alone knows its sizes"
        )
    copies = 2 * size.parameters if method.whole and dtype == "bfloat16" and devices == 1 else 0
    dtype = "float32" if method.weights == "float32" else dtype
    containing = (key for key, names in TARGETS.items() if {*training.targets} <= {*names})
    targets = None if method.whole else next(containing, None)
    rows = max(1, min(training.batch, training.batch * training.accumulation // devices))
    step = Step(
        *(method, dtype, rows, training.length, training.rank, targets),
        checkpointing=training.checkpointing,
        own=settings,
    )
    try:
        planned = plan(size.card, step)
        fixed = sum(planned[key] for key in ("weights", "adapters", "gradients", "optimizer"))
        left = planned["weights" if method.whole else "adapters"]
        return copies + _shared(planned["peak"], fixed, planned["weights"], size, devices), left
    except ValueError:
        width, tokens = BYTES[dtype], rows * training.length
    known = sizes(size.card).matrices if size.card.model_type in PLANNABLE else {}
    shapes = [known.get(name, (size.hidden, size.inner)) for name in training.targets]
    weights, shared = size.parameters, 0
    if method.tensors is not None:
        by_name = dict(zip(training.targets, shapes, strict=True))
        told = {**training.settings, "rank": training.rank, "targets": training.targets}
        weights = size.layers * sum(adapter_sizes(method, told, by_name))
        shared = method.frozen(shapes, training.rank or 0) if method.frozen else 0
    held: float = size.parameters * (NF4 if method.weights == "nf4" else width)
    held += 0 if method.whole else 4 * (weights * (1 + method.copies) + shared)
    layer: float = 17 * width * tokens * size.hidden
    kept: float = layer * size.layers
    if training.checkpointing:  # the input of every layer, and all of one
        kept = layer + width * tokens * size.hidden * size.layers
    logits = tokens * size.vocabulary * (4 + max(width + 4, 8))
    static = held + 12 * weights
    peak = _shared(static + kept + logits, static, held, size, devices)
    return copies + peak, 4 * (weights + shared)


def adapter_sizes(
    method: Method, settings: Mapping[str, Any], shapes: Mapping[str, tuple[int, int]]
) -> list[int]:
    """Elements of each tensor that learns beside matrices of these (in, out), of one layer.

    Raises ValueError where the method's settings do not fit a matrix.
    """
    if (tensors := method.tensors) is None:
        return []
    rank, taken = settings.get("rank"), own(settings)
    sizes = (tensors(shapes[name], rank, module=name, **taken) for name in settings["targets"])
    return [elements for one in sizes for elements in one]


def _shared(whole: float, static: float, weights: float, size: Size, devices: int) -> float:
    if devices == 1:
        return whole
    embedded = 2 * weights * size.vocabulary * size.hidden / size.parameters  # both, if not tied
    return whole - static + static / devices + 2 * weights / size.layers + 2 * embedded
