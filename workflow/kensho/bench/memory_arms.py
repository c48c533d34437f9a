"""Arms of the experiment `training_memory`."""

from kensho.train.methods import full, lora, qlora

_LORA = {"method": lora.METHOD, "dtype": "float32", "rank": 8, "targets": "qkvo"}
_QV = {**_LORA, "targets": "qv"}
_FULL = {"method": full.METHOD, "dtype": "float32"}
_BF16 = {"dtype": "bfloat16"}
_AGAIN = {"checkpointing": True}

MEASURED = {
    "lora-r8-qv": _QV,
    "lora-r8-qkvo": _LORA,
    "lora-r16-qkvo": {**_LORA, "rank": 16},
    "lora-r16-all-linear": {**_LORA, "rank": 16, "targets": "all-linear"},
    "lora-r8-qkvo-checkpointing": {**_LORA, **_AGAIN},
    "lora-r8-qkvo-mapped": _LORA,  # the same, with an allocator that gives every tensor back
    "qlora-r8-qkvo": {**_LORA, "method": qlora.METHOD},
    "lora-r8-qkvo-bf16": {**_LORA, **_BF16},
    "full": _FULL,
    "full-checkpointing": {**_FULL, **_AGAIN},
    "full-bf16": {**_FULL, **_BF16},
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
    "planned-full-bf16": {**_FULL, **_BF16},
    "planned-full-fp32-checkpointing": {**_FULL, **_AGAIN},
    "planned-lora-r8-qv-fp32": _QV,
    "planned-lora-r8-qv-bf16": {**_QV, **_BF16},
    "planned-lora-r8-qv-bf16-checkpointing": {**_QV, **_BF16, **_AGAIN},
    "planned-qlora-r8-qv": {**_QV, **_BF16, "method": qlora.METHOD},
}
PLANNED_CELLS = [(1, 512), (8, 512)]  # batch, length
SCOPE = {"lora": "llama-2-7b", "qlora": "llama-2-7b", "full": "open-calm-1b"}
