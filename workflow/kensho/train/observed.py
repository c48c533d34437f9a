"""What trainings observe of themselves: memory, speed and parameters, from their records."""

from collections.abc import Sequence

import pandas as pd

from kensho.fallback import lowered
from kensho.models.reference import Origin
from kensho.observations import table
from kensho.train.record import TrainingRecord

EXPERIMENT = "training"
UNITS = {
    "trainable_parameters": "parameters",
    "peak_memory_bytes": "bytes",
    "tokens_per_second": "tokens/s",
}
SHARED = ("peak_memory_bytes", "tokens_per_second")  # of one process, and of all together


def observations(arm: str, records: Sequence[TrainingRecord]) -> pd.DataFrame:
    """A block for each seed; metrics of stages before the last that trains end in `@number-stage`.

    A training whose steps were all warm-up has no speed; a stage that trains nothing has no rows.
    Memory and speed of several processes end in `.processes` and their number.
    """
    records = [record for record in records if record.trainable_parameters]
    last = max((record.number for record in records), default=0)
    return table(
        {
            **{"experiment": EXPERIMENT, "arm": arm, "block": f"seed-{record.seed}"},
            "replicate": 0,
            "metric": metric
            + (f".processes{record.processes}" if _shared_out(record, metric) else "")
            + ("" if record.number == last else f"@{record.number}-{record.stage}"),
            **{"value": value, "unit": unit},
        }
        for record in records
        for metric, unit in UNITS.items()
        if (value := getattr(record, metric)) is not None
    )


def _shared_out(record: TrainingRecord, metric: str) -> bool:
    return metric in SHARED and record.processes > 1


def conditions(records: Sequence[TrainingRecord]) -> dict:
    """Those of the trainings; what differs between them is listed value by value."""
    stored = [record.model_dump() for record in records]
    base = Origin.model_validate(records[0].base)
    shared = ("dtype", "weights", "threads", "hardware", "software")
    merged = {
        "ran": {"models": [base.ran()]},
        **{key: _shared([record[key] for record in stored]) for key in shared},
        "seeds": sorted({record.seed for record in records}),
        "models": {base.name: base.described()},
        "trainings": stored,
        "warmup": "the first two training steps are left out of tokens per second",
        "fallbacks": [],
        "absent": {
            metric: f"{record.processes} processes shared a training: its memory is that of the "
            "fullest and its speed that of all, which compare to no training in one process"
            for record in records
            for metric in SHARED
            if _shared_out(record, metric)
        },
        "deviations": [
            f"{base.name}, of {base.parameters / 1e6:.0f}M parameters, on short sentences",
            *dict.fromkeys(
                f"{record.stage}: {line}"
                for record in records
                for line in (record.audit.warnings if record.audit else ())
            ),
            *dict.fromkeys(
                f"{record.stage}: {record.tested} documents are sentences of the test set and were "
                "left out"
                for record in records
                if record.tested
            ),
        ],
    }
    taken = list(dict.fromkeys(line for record in records for line in record.fallbacks))
    return lowered(merged, taken, "reference")


def _shared(values: list):
    return values[0] if all(value == values[0] for value in values) else values
