"""Conditions and the record of a training as jobs write them, for tests that need some."""

CONDITIONS = {
    "tier": "at-scope",
    "fallbacks": [],
    "deviations": [],
    "dtype": "float32",
    "warmup": "none",
    "hardware": {"cpu": "AMD EPYC", "cores": 2, "memory_bytes": 2**34, "accelerators": []},
    "software": {"python": "3.11.7"},
}
# Of a training.
RECORD = {
    "arm": "lora-r8",
    "number": 1,
    "stage": "sft",
    "settings": {"learning_rate": 0.001},
    "seed": 1,
    "samples_sha256": "ab" * 32,
    "base": {"source": {"name": "tiny"}, "parameters": 1_000_000},
    "threads": 2,
    "fallbacks": [],
    "registered": {},
    "trainable_parameters": 128,
    "peak_memory_bytes": 1 << 20,
    "tokens_per_second": 10.5,
    "samples_in_order_sha256": "cd" * 32,
    "weights": "float32",
    "dtype": "float32",
    "hardware": CONDITIONS["hardware"],
    "software": CONDITIONS["software"],
}
