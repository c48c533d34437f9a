"""Conditions and the record of a training as jobs write them, for tests that need some."""

from kensho.claims.model import Scope
from kensho.observations.ran import Ran
from kensho.observations.tier import Arm, derive


def ran(at_most: str = "at-scope") -> dict:
    """What ran, for a claim that is to get this tier."""
    return {"models": [], "follows_from": "dimensions", "at_most": {"the test's wish": at_most}}


def tier(conditions: dict, *models: str, hardware: str = "any", accelerators=()) -> str:
    """That of a claim of these models and hardware, from what an experiment says."""
    arm = Arm(Ran.model_validate(conditions["ran"]), accelerators)
    return derive(Scope(models=list(models), hardware=hardware), [arm])[0]


CONDITIONS = {
    "ran": ran(),
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
    "base": {
        **{"name": "tiny", "weights": "other"},
        **{"files": {"model.safetensors": "ef" * 32}, "parameters": 1_000_000},
    },
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
