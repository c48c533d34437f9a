import json

import pytest
from conditions_example import RECORD
from kensho import observations
from kensho.train import record
from kensho.train.observed import conditions
from kensho.train.observed import observations as observed


def records(folder, *changes):
    for number, change in enumerate(changes):
        record.write(folder / f"{number}.json", RECORD | change)
    return [record.read(folder / f"{number}.json") for number in range(len(changes))]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("sed", 1, "sed: unknown key, did you mean 'seed'?"),
        ("tokens_per_second", float("nan"), "tokens_per_second: expected a finite number"),
        ("threads", "2", "threads: expected a whole number"),
        ("weights", None, "weights: expected text, found null"),
    ],
)
def test_a_wrong_record_is_refused_by_key_before_it_is_written(tmp_path, key, value, told):
    path = tmp_path / "record.json"
    with pytest.raises(ValueError, match=r"record.json: ") as error:
        record.write(path, RECORD | {key: value})
    assert told in str(error.value) and not path.exists()
    path.write_text(json.dumps({**RECORD, "seed": "one"}))
    with pytest.raises(ValueError, match=r"record.json: seed: expected a whole number"):
        record.read(path)


def test_a_record_lacks_nothing(tmp_path):
    for key in RECORD:
        less = {name: value for name, value in RECORD.items() if name != key}
        with pytest.raises(ValueError, match=f"{key}: required key is missing"):
            record.write(tmp_path / "record.json", less)


def test_stages_and_seeds_become_observations_with_the_conditions_of_all(tmp_path):
    line = "accelerator: rocm -> none (torch sees no ROCm device)"
    first, last = {"stage": "cpt"}, {"number": 2, "dtype": "bfloat16"}
    made = records(tmp_path, first, last, {**last, "seed": 2, "fallbacks": [line]})
    table = observed("lora-r8", made)
    counts = table.groupby("metric").size()
    assert counts["trainable_parameters"] == 2 and counts["trainable_parameters@1-cpt"] == 1
    [path] = observations.write(tmp_path, table, conditions(made))
    stored = observations.read(path)[1]
    assert stored["dtype"] == ["float32", "bfloat16", "bfloat16"]
    assert stored["weights"] == "float32" and stored["seeds"] == [1, 2]
    assert (stored["tier"], stored["fallbacks"]) == ("reduced", [line])


def test_a_training_of_warm_up_steps_alone_has_memory_and_no_speed(tmp_path):
    [made] = records(tmp_path, {"tokens_per_second": None})
    assert set(observed("a", [made])["metric"]) == {"trainable_parameters", "peak_memory_bytes"}


def test_memory_and_speed_of_several_processes_are_metrics_of_their_own(tmp_path):
    made = records(tmp_path, {"processes": 4})
    metrics = {*observed("lora-r8", made)["metric"]}
    own = {"peak_memory_bytes", "tokens_per_second"}
    assert {f"{name}.processes4" for name in own} <= metrics and not metrics & own
    absent = conditions(made)["absent"]
    assert {*absent} == own and all(why.startswith("4 processes shared") for why in absent.values())
    assert conditions(records(tmp_path, {}))["absent"] == {}
