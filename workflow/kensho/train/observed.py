"""What trainings observe of themselves: memory, speed and parameters, from their records."""

from collections.abc import Sequence

import pandas as pd

from kensho.observations import table

EXPERIMENT = "training"
UNITS = {
    "trainable_parameters": "parameters",
    "peak_memory_bytes": "bytes",
    "tokens_per_second": "tokens/s",
}


def observations(arm: str, records: Sequence[dict]) -> pd.DataFrame:
    """A block for each seed; the metrics of stages before an arm's last one end in `@stage`."""
    last = max(record["number"] for record in records)
    return table(
        {
            **{"experiment": EXPERIMENT, "arm": arm, "block": f"seed-{record['seed']}"},
            "replicate": 0,
            "metric": metric if record["number"] == last else f"{metric}@{record['stage']}",
            **{"value": record[metric], "unit": unit},
        }
        for record in records
        for metric, unit in UNITS.items()
    )


def conditions(records: Sequence[dict]) -> dict:
    """Those of the trainings; what differs between them is listed value by value."""
    first = records[0]
    return {
        "tier": "reduced",
        **{key: _shared(records, key) for key in ("dtype", "weights", "threads")},
        "seeds": sorted({record["seed"] for record in records}),
        "models": {first["base"]["source"]["name"]: first["base"]},
        "trainings": list(records),
        "warmup": "the first two training steps are left out of tokens per second",
        "fallbacks": list(dict.fromkeys(line for r in records for line in r["fallbacks"])),
        "deviations": [
            f"a model of {first['base']['parameters'] / 1e6:.0f}M parameters and short sentences "
            "stand in for the claim's"
        ],
        **{key: _shared(records, key) for key in ("hardware", "software")},
    }


def _shared(records: Sequence[dict], key: str):
    values = [record[key] for record in records]
    return values[0] if all(value == values[0] for value in values) else values
