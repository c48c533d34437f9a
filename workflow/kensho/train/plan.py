"""Memory of one training step, planned from an architecture card alone.

What a step needs is counted by component: weights, adapters, gradients and AdamW's moments follow
from shapes; the activations are those that autograd keeps from the forward to the backward pass,
counted operation by operation as Korthikanti et al. do (2022, arXiv 2205.05198, section 4.1:
sbh (34 + 5 as / h) bytes per layer). Their layer has dropout, GELU and an attention matrix in
16 bit; this one follows the code that runs here: no dropout, gated SiLU, RMS norms computed in
float32, grouped-query attention in a fused kernel that keeps one float per head and token instead
of the matrix, and LoRA branches.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from kensho.models.cards import Card
from kensho.train.methods import Method

ADAPTABLE = ("llama", "qwen2")  # model types with the modules of TARGETS
PLANNABLE = (*ADAPTABLE, "gpt_neox")
Module = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TARGETS: dict[str, tuple[Module, ...]] = {
    "qv": ("q_proj", "v_proj"),
    "qkvo": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "all-linear": get_args(Module),
}
BYTES = {"float32": 4, "bfloat16": 2}
FLOAT = 4  # losses, norms, adapters (PEFT keeps them in float32) and Adam's step counter
NF4_BLOCK, NF4_NESTED = 64, 256  # weights that share a scale, scales that share a scale


@dataclass(frozen=True)
class Step:
    """One optimiser step: ``batch`` samples of ``length`` tokens, without accumulation.

    ``dtype`` is that of the base weights and of the computation; where every weight is trained
    also that of gradients and moments. A method that holds its base in NF4 does so with the layers'
    matrices, with double quantisation. ``own`` are the settings that its adapters take.
    """

    method: Method
    dtype: Literal["float32", "bfloat16"]
    batch: int
    length: int
    rank: int | None = None
    targets: str | None = None
    checkpointing: bool = False
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return self.batch * self.length

    @property
    def adapted(self) -> tuple[Module, ...]:
        """Modules that get adapters."""
        return TARGETS[self.targets] if self.targets else ()

    @property
    def adapter_rank(self) -> int:
        """Rank of the adapters. Raises ValueError where there is none."""
        if not self.rank:
            raise ValueError(f"{self.method.name} needs a rank")
        return self.rank

    def adapter_sizes(self, module: str, shape: tuple[int, int]) -> list[int]:
        """Elements of each tensor of the adapter of an (in, out) matrix."""
        if self.method.tensors is None:
            raise ValueError(f"{self.method.name} has no adapters of known size")
        return self.method.tensors(shape, self.rank, module=module, **self.own)

    @property
    def width(self) -> int:
        """Bytes of one element of an activation."""
        return BYTES[self.dtype]


@dataclass(frozen=True)
class Sizes:
    """Dimensions of a card; ``matrices`` are the (in, out) shapes of one layer by name."""

    layers: int
    hidden: int
    inner: int
    vocabulary: int
    tied: bool
    heads: int
    query: int
    key: int
    rotary: int
    matrices: dict[str, tuple[int, int]]
    layer_vectors: tuple[int, ...]  # norms and biases
    final_vectors: tuple[int, ...]
    gated: bool


def sizes(card: Card) -> Sizes:
    """Dimensions as Llama, Qwen2 and GPT-NeoX have them; ValueError for any other model type."""
    if card.model_type not in PLANNABLE:
        raise ValueError(f"card '{card.name}': a plan needs one of {', '.join(PLANNABLE)}")
    config: dict[str, Any] = {**card.config}
    h, f, n = map(card.size, ("hidden_size", "intermediate_size", "num_attention_heads"))
    d = config.get("head_dim") or h // n
    common: dict[str, Any] = {
        "layers": config["num_hidden_layers"],
        "vocabulary": config["vocab_size"],
        "tied": bool(config.get("tie_word_embeddings", False)),
        **{"hidden": h, "inner": f, "heads": n, "query": n * d},
    }
    if card.model_type == "gpt_neox":
        matrices = {
            "query_key_value": (h, 3 * h),
            "dense": (h, h),
            "dense_h_to_4h": (h, f),
            "dense_4h_to_h": (f, h),
        }
        biases = tuple(out for _, out in matrices.values())
        rotary = int(d * config.get("rotary_pct", 0.25))
        return Sizes(
            **common,
            key=n * d,
            rotary=rotary,
            gated=False,
            matrices=matrices,
            layer_vectors=(h, h, h, h, *biases),
            final_vectors=(h, h),
        )
    kv = (config.get("num_key_value_heads") or n) * d
    matrices = {
        **{"q_proj": (h, n * d), "k_proj": (h, kv), "v_proj": (h, kv), "o_proj": (n * d, h)},
        **{"gate_proj": (h, f), "up_proj": (h, f), "down_proj": (f, h)},
    }
    biases = (n * d, kv, kv) if card.model_type == "qwen2" else ()
    return Sizes(
        **common,
        key=kv,
        rotary=d,
        gated=True,
        matrices=matrices,
        layer_vectors=(h, h, *biases),
        final_vectors=(h,),
    )


def plan(card: Card, step: Step) -> dict[str, int]:
    """Bytes of a training step by component, and their peak.

    ``weights``, ``adapters``, ``gradients``, ``optimizer`` (AdamW) are exact. ``activations`` is
    what autograd keeps of layers and final norm, ``recomputed`` one layer's share that
    checkpointing computes again, ``loss`` the log-probabilities kept, ``logits`` the largest
    further tensors of vocabulary size that live beside them, ``update`` what AdamW needs for the
    largest tensor. ``peak`` is the largest sum that exists at one time: at the loss, in the
    backward pass (activations go as gradients come), or in the update. Temporary tensors inside a
    layer and what allocator and libraries add are not in it. Raises ValueError for an unsupported
    architecture, an adapter without rank and targets, or one that is no pair of LoRA's.
    """
    shape = sizes(card)
    full = step.method.whole
    if not full and (not step.rank or step.targets not in TARGETS or not shape.gated):
        raise ValueError(
            f"{step.method.name} on '{card.name}' needs a rank, targets and a Llama layer"
        )
    if not full and not step.method.branches:
        raise ValueError(f"what {step.method.name} keeps for the gradient is not planned")
    layer = [a * b for a, b in shape.matrices.values()] + list(shape.layer_vectors)
    table = shape.vocabulary * shape.hidden
    outer = [table] * (1 if shape.tied else 2) + list(shape.final_vectors)
    adapters = [step.adapter_sizes(name, shape.matrices[name]) for name in step.adapted]
    trained = layer if full else [elements for tensors in adapters for elements in tensors]
    tensors = trained * shape.layers + (outer if full else [])
    size = step.width if full else FLOAT
    optimizer = 2 * sum(tensors) * size + FLOAT * len(tensors)  # two moments, a step counter each
    held = 0 if full else sum(tensors) * FLOAT * (1 + step.method.copies)
    weights = shape.layers * _held(shape, step) + sum(outer) * step.width

    kept = saved(card, step)
    plain = saved(card, replace(step, checkpointing=False))
    again = plain["layer"] if step.checkpointing else 0
    activations = kept["first_layer"] + (shape.layers - 1) * kept["layer"] + kept["final"]
    gradients = sum(tensors) * size
    words = step.tokens * shape.vocabulary
    cast = 0 if step.width == FLOAT else FLOAT  # the loss takes a copy in float32
    logits = words * max(step.width + cast, 2 * FLOAT)  # forward; the loss's two gradients
    head = table * size if full else 0  # gradient of the output layer comes first
    above = gradients - sum(trained) * size - (0 if shape.tied or not full else table * size)
    update = 2 * max(tensors) * size
    moments = [
        activations + kept["loss"] + logits,
        activations + words * step.width + head,
        activations + head + again,  # backward through the last layer
        kept["first_layer"] + above + again,  # and through the first
        gradients + update,
    ]
    return {
        "weights": weights,
        "adapters": held,
        "gradients": gradients,
        "optimizer": optimizer,
        "activations": activations,
        "recomputed": again,
        "loss": kept["loss"],
        "logits": logits,
        "update": update,
        "peak": weights + held + optimizer + max(moments),
    }


def saved(card: Card, step: Step) -> dict[str, int]:
    """Bytes of the floating-point tensors that autograd keeps between forward and backward pass.

    ``first_layer`` (adapters below it are none, so its norm keeps nothing under LoRA), ``layer``
    (each of the others), ``final`` (last norm, input of the output layer, rotary tables) and
    ``loss``. Weights are not counted: they are kept anyway.
    """
    shape, t, e = sizes(card), step.tokens, step.width
    full = step.method.whole
    rotary = 2 * step.length * shape.rotary * e
    loss = t * shape.vocabulary * FLOAT + FLOAT  # log-probabilities, number of labels
    if shape.gated:
        final = _rms_norm(shape, step) + (t * shape.hidden * e if full else 0)
        layer = _llama_layer(shape, step)
        first = layer if full else layer - _rms_norm(shape, step)
    else:
        final = 2 * t * shape.hidden * e + 2 * t * e
        layer = first = _neox_layer(shape, step)
        if not card.config.get("use_parallel_residual", True):  # the second norm's own input
            layer = first = layer + t * shape.hidden * e
    if step.checkpointing:  # a layer keeps its input; what it needs besides stays with its closure
        layer = first = t * shape.hidden * e
        rotary = 0
    return {"first_layer": first, "layer": layer, "final": final + rotary, "loss": loss}


def _rms_norm(shape: Sizes, step: Step) -> int:
    """Input in float32, one scale per token; the normalised input where the gain is trained."""
    kept = step.tokens * (shape.hidden + 1) * FLOAT
    return kept + (step.tokens * shape.hidden * step.width if step.method.whole else 0)


def _llama_layer(shape: Sizes, step: Step) -> int:
    t, e, s = step.tokens, step.width, shape
    attention = t * (2 * s.query + 2 * s.key) * e + t * s.heads * FLOAT  # q, k, v, result, sums
    gate = 3 * t * s.inner * e  # gate, its SiLU, up
    groups = [
        (("q_proj", "k_proj", "v_proj"), t * s.hidden * e),
        (("o_proj",), 0 if step.method.whole or e == FLOAT else t * s.query * e),
        (("gate_proj", "up_proj"), t * s.hidden * e),
        (("down_proj",), t * s.inner * e),
    ]
    return 2 * _rms_norm(s, step) + attention + gate + sum(_inputs(s, step, *g) for g in groups)


def _inputs(shape: Sizes, step: Step, names: tuple[str, ...], shared: int) -> int:
    """What linear layers with one input keep of it.

    A trained matrix needs its input, all of one group the same tensor (``shared`` bytes, 0 where
    the attention keeps it already). An adapter needs it too, and its own inner activation; in 16
    bit each adapter makes a copy in float32. A frozen matrix alone keeps nothing.
    """
    if step.method.whole:
        return shared
    adapted = [name for name in names if name in step.adapted]
    inner = len(adapted) * step.tokens * step.adapter_rank * FLOAT
    if step.width == FLOAT:
        return (shared if adapted else 0) + inner
    return sum(step.tokens * shape.matrices[name][0] * FLOAT for name in adapted) + inner


def _neox_layer(shape: Sizes, step: Step) -> int:
    """Two layer norms of one input, attention, GELU.

    The values are a view, so they keep the whole qkv product; the attention's result is kept twice,
    in the kernel's layout and in that of the next product.
    """
    t, e, s = step.tokens, step.width, shape
    norms = 3 * t * s.hidden * e + 4 * t * e  # input, both results, means and scales
    attention = t * (3 * s.hidden + 4 * s.query) * e + t * s.heads * FLOAT
    return norms + attention + 2 * t * s.inner * e


def _held(shape: Sizes, step: Step) -> int:
    """Bytes of one layer's weights, in NF4 where the method holds them so (QLoRA, section 3)."""
    vectors = sum(shape.layer_vectors) * step.width
    counts = [a * b for a, b in shape.matrices.values()]
    if step.method.weights != "nf4":
        return sum(counts) * step.width + vectors
    scales = [-(-count // NF4_BLOCK) for count in counts]
    nested = [-(-count // NF4_NESTED) * FLOAT + FLOAT for count in scales]  # and an offset
    return sum(count // 2 for count in counts) + sum(scales) + sum(nested) + vectors


def largest_batch(card: Card, step: Step, limit: int) -> int:
    """The largest batch whose planned peak is at most ``limit`` bytes, 0 if none is."""

    def fits(batch: int) -> bool:
        return plan(card, replace(step, batch=batch))["peak"] <= limit

    if not fits(1):
        return 0
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def source_plan(total: int) -> dict[str, int]:
    """The shares that claim F-10 gives an accelerator of ``total`` bytes, in bytes.

    Activation cache min(51 GB, 25 %), key-value cache 15 %, buffers 10 %; the rest is named
    ``rest``. They depend on no model, so they say what is set aside, not what a step needs.
    """
    shares = {
        "activations": min(51 * 10**9, total * 25 // 100),
        "kv_cache": total * 15 // 100,
        "buffers": total * 10 // 100,
    }
    return {**shares, "rest": total - sum(shares.values())}
