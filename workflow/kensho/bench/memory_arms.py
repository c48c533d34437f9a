"""Arms of the experiments `training_memory` and `memory_search`."""

from functools import partial

from kensho.train.methods import full, lora, qlora
from kensho.train.plan import Step

# Steps but for the batch and the length of their samples.
_LORA = partial(Step, method=lora.METHOD, dtype="float32", rank=8, targets="qkvo")
_QV = partial(_LORA, targets="qv")
_QV_BF16 = partial(_QV, dtype="bfloat16")
_FULL = partial(Step, method=full.METHOD, dtype="float32")
_FULL_BF16 = partial(_FULL, dtype="bfloat16")

MEASURED = {
    "lora-r8-qv": _QV,
    "lora-r8-qkvo": _LORA,
    "lora-r16-qkvo": partial(_LORA, rank=16),
    "lora-r16-all-linear": partial(_LORA, rank=16, targets="all-linear"),
    "lora-r8-qkvo-checkpointing": partial(_LORA, checkpointing=True),
    "lora-r8-qkvo-mapped": _LORA,  # the same, with an allocator that gives every tensor back
    "qlora-r8-qkvo": partial(_LORA, method=qlora.METHOD),
    "lora-r8-qkvo-bf16": partial(_LORA, dtype="bfloat16"),
    "full": _FULL,
    "full-checkpointing": partial(_FULL, checkpointing=True),
    "full-bf16": _FULL_BF16,
}
MAPPED = "lora-r8-qkvo-mapped"
# Slow, up to tenfold, on a processor that does not compute bfloat16.
LARGER_SCALES = ["lora-r8-qkvo-bf16", "full-bf16"]
# Left to those who ask for them: three minutes are soon over.
BESIDE = ["lora-r8-qkvo-mapped", "full-checkpointing"]
DEFAULT = [arm for arm in MEASURED if arm not in (*LARGER_SCALES, *BESIDE)]

# At the claim's dimensions, computed only. Claims name these arms and cells, so both are fixed;
# the models are those that R-5.parameters reads into the source.
PLANNED = {
    "planned-full-fp32": _FULL,
    "planned-full-bf16": _FULL_BF16,
    "planned-full-fp32-checkpointing": partial(_FULL, checkpointing=True),
    "planned-lora-r8-qv-fp32": _QV,
    "planned-lora-r8-qv-bf16": _QV_BF16,
    "planned-lora-r8-qv-bf16-checkpointing": partial(_QV_BF16, checkpointing=True),
    "planned-qlora-r8-qv": partial(_QV_BF16, method=qlora.METHOD),
    "planned-full-bf16-70b": _FULL_BF16,
    "planned-lora-r8-qv-bf16-70b": _QV_BF16,
    "planned-qlora-r8-qv-70b": partial(_QV_BF16, method=qlora.METHOD),
    "planned-lora-r64-qkvo-bf16-32b": partial(_LORA, dtype="bfloat16", rank=64),
    "planned-lora-r8-qkvo-bf16-1.5b": partial(_LORA, dtype="bfloat16"),
}
SIZED = {"-70b": "llama-2-70b", "-32b": "r1-distill-qwen-32b", "-1.5b": "r1-distill-qwen-1.5b"}
NAMED = {arm: card for arm in PLANNED for end, card in SIZED.items() if arm.endswith(end)}
SCOPE = {"lora": "llama-2-7b", "qlora": "llama-2-7b", "full": "open-calm-1b"}

# Ways to train under a limit (kensho.bench.memory_trial), those that have a plan, and those for
# accelerators: a processor's FP8 products are a thousand times slower, and it is its own host.
WAYS = ("plain", "checkpointing", "recomputation", "loss-scaling", "fp8", "offload")
PLANNED_WAYS = ("plain", "checkpointing")
ACCELERATED = ("fp8", "offload")
