import json
from datetime import datetime

import pandas as pd
import pytest
from conditions_example import CONDITIONS
from kensho import observations
from kensho.files import write_json
from kensho.report import inputs
from kensho.run.events import Event


def test_the_summary_says_when_it_was_written(tmp_path):
    path = tmp_path / "statistical_summary.json"
    write_json(path, {"scale": "embedded", "claims": []})
    found = inputs.summary(path)
    assert (found["scale"], found["claims"]) == ("embedded", [])
    written = pd.Timestamp(found["generated"])
    assert written.tz is not None
    assert abs(written.timestamp() - path.stat().st_mtime) <= 60


def test_steps_of_all_trainings_in_one_table(tmp_path):
    paths = []
    for arm, stage, seed in (("lora", "1-cpt", 1), ("lora", "2-sft", 1), ("full", "1-sft", 2)):
        path = tmp_path / arm / stage / f"seed{seed}" / "steps.csv"
        path.parent.mkdir(parents=True)
        steps = {"step": [1, 2], "loss": [3.5, 3.25], "seed": seed, "arm": arm}
        steps |= {"tokens": 9, "seconds": [3.0, 1.5]} if arm == "full" else {}
        steps |= {"loss": [4.5, 4.25], "penalty": 1.0} if stage == "2-sft" else {}
        pd.DataFrame(steps).to_csv(path, index=False)
        unit = {"loss_unit": "nats per token"} if arm == "lora" else {}  # the other is older
        write_json(path.with_name("record.json"), {"arm": arm, **unit})
        paths.append(str(path))
    found = inputs.loss(paths)
    assert found.columns.tolist() == ["arm", "seed", "step", "unit", *inputs.CURVES]
    assert found["arm"].unique().tolist() == ["lora, 1-cpt", "lora, 2-sft", "full"]
    assert found["loss"].tolist() == [3.5, 3.25] * 3  # without the penalty
    assert found["unit"].tolist() == ["nats per token"] * 4 + [""] * 2
    assert found["tokens_per_second"].dropna().tolist() == [3.0, 6.0]
    assert found["validation"].isna().all() and inputs.loss([]).empty
    merged = tmp_path / "lora" / "3-merge" / "seed1" / "steps.csv"  # a stage that trains nothing
    merged.parent.mkdir(parents=True)
    found.head(0).to_csv(merged, index=False)
    write_json(merged.with_name("record.json"), {"arm": "lora"})
    pd.testing.assert_frame_equal(inputs.loss([*paths, str(merged)]), found)


def test_audits_are_lines_with_their_warnings(tmp_path):
    audit = {"learned": 5, "tokens": 9, "warnings": ["1 of 2 samples have nothing to learn"]}
    record = {"arm": "full", "stage": "sft", "seed": 2, "rows": "packed"}
    of_dpo = {"arm": "full", "stage": "dpo", "seed": 2, "rows": None, "audit": audit}
    records = {"old": record, "new": record | {"audit": audit}, "pairs": of_dpo}
    for name, one in records.items():
        write_json(tmp_path / f"{name}.json", one)
    assert inputs.audits([str(tmp_path / f"{name}.json") for name in records]) == [
        "full, sft, seed 2: 5 of 9 tokens are learned, rows packed",
        "full, sft, seed 2: 1 of 2 samples have nothing to learn",
        "full, dpo, seed 2: 5 of 9 tokens are learned",
        "full, dpo, seed 2: 1 of 2 samples have nothing to learn",
    ]


def cache(folder, cells):
    """Observation files from (arm, block, replicate, allocated, closed form)."""
    rows = [
        {"experiment": "kv_cache", "arm": arm, "block": block, "replicate": replicate,
         "metric": metric, "value": float(value), "unit": "bytes"}
        for arm, block, replicate, *values in cells
        for metric, value in zip(("cache_bytes", "closed_form_bytes"), values)
    ]  # fmt: skip
    return [str(p) for p in observations.write(folder, observations.table(rows), CONDITIONS)]


def test_a_cell_is_equal_only_if_every_replicate_is(tmp_path):
    paths = cache(
        tmp_path,
        [
            ("mla", "L1024-B2-float16", 0, 80, 80),
            ("mla", "L1024-B2-float16", 1, 80, 80),
            ("mla", "L512-B4-bfloat16", 0, 40, 40),
            ("mla", "L512-B4-bfloat16", 1, 39, 40),
            ("gqa-8", "L512-B4-bfloat16", 0, 41, 40),
            ("gqa-8", "L512-B4-bfloat16", 1, 40, 40),
        ],
    )
    found = inputs.kv_grid(paths)
    assert found.to_dict("records") == [
        {"arm": "gqa-8", "length": 512, "batch": 4, "dtype": "bfloat16", "cache_bytes": 41.0,
         "closed_form_bytes": 40.0, "equal": False},
        {"arm": "mla", "length": 512, "batch": 4, "dtype": "bfloat16", "cache_bytes": 40.0,
         "closed_form_bytes": 40.0, "equal": False},
        {"arm": "mla", "length": 1024, "batch": 2, "dtype": "float16", "cache_bytes": 80.0,
         "closed_form_bytes": 80.0, "equal": True},
    ]  # fmt: skip


def test_a_closed_form_that_differs_between_replicates_is_not_equal(tmp_path):
    paths = cache(
        tmp_path,
        [("mla", "L64-B1-float16", 0, 8, 8), ("mla", "L64-B1-float16", 1, 8, 7)],
    )
    assert inputs.kv_grid(paths)["equal"].tolist() == [False]


def test_the_grid_refuses_a_table_changed_by_hand(tmp_path):
    [path] = cache(tmp_path, [("mla", "L64-B1-float16", 0, 8, 8)])
    with open(path, "a", encoding="utf-8") as file:
        file.write("kv_cache,mla,L64-B1-float16,1,cache_bytes,8.0,bytes\n")
    with pytest.raises(ValueError, match=r"mla\.csv: changed"):
        inputs.kv_grid([path])


def event(kind, clock, job, seconds=None):
    rule, *wildcards = job.split(" ")
    at = datetime.fromisoformat(f"2026-11-21T{clock}+00:00")
    return Event(kind, at, rule=rule, wildcards=dict(enumerate(wildcards)), seconds=seconds)


PAST = [
    event("started", "07:00:00", "fetch jnli"),
    event("finished", "07:00:02", "fetch jnli", 2.0),
    event("started", "07:00:02", "train lora-r8 1"),
    event("failed", "07:00:09", "train lora-r8 1", 7.0),
    event("finished", "07:01:00", "train lora-r8 1", 30.5),
    event("finished", "07:02:00", "train full 1", 40.0),
]


def test_execution_counts_finished_jobs_by_rule():
    found = inputs.execution(PAST)
    assert found == {
        "wall_seconds": 72.5,
        "rules": [
            {"rule": "train", "jobs": 2, "seconds": 70.5},
            {"rule": "fetch", "jobs": 1, "seconds": 2.0},
        ],
    }
    assert json.loads(json.dumps(found)) == found


def test_no_event_and_no_finished_job_are_no_rules():
    assert inputs.execution([]) == {"wall_seconds": None, "rules": []}
    assert inputs.execution(PAST[:1]) == {"wall_seconds": 0.0, "rules": []}
