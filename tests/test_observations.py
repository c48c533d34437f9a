import json

import numpy as np
import pandas as pd
import pytest
from conditions_example import CONDITIONS
from kensho import observations
from kensho.files import sha256


def rows(arm="mla", count=4, **more):
    return [
        {
            "experiment": "kv_cache",
            "arm": arm,
            "block": f"{index:03d}",
            "replicate": 0,
            "metric": "cache_bytes",
            "value": float(index + 1),
            "unit": "bytes",
            **more,
        }
        for index in range(count)
    ]


def with_column(column, values):
    return pd.DataFrame(rows()).assign(**{column: values})


BROKEN = {
    "empty": (pd.DataFrame(columns=observations.COLUMNS), None, "empty"),
    "no value column": (pd.DataFrame(rows()).drop(columns="value"), None, "expected experiment"),
    "no unit column": (pd.DataFrame(rows()).drop(columns="unit"), None, "expected experiment"),
    "further column": (with_column("note", "x"), None, "note"),
    "other order": (pd.DataFrame(rows())[observations.COLUMNS[::-1]], None, "unit, value"),
    "NaN": (with_column("value", [1, 2, np.nan, 4]), 4, "value nan is not a finite number"),
    "infinite": (with_column("value", [1, -np.inf, 3, 4]), 3, "value -inf"),
    "text": (with_column("value", ["1", "fast", "3", "4"]), 3, "value fast"),
    "blank": (with_column("value", ["1", "2", "3", ""]), 5, "not a finite number"),
    "repeated row": (pd.DataFrame(rows() + rows()[1:2]), 3, "arm, block, replicate, metric"),
    "two values": (pd.DataFrame(rows() + rows(count=1, value=9.0)), 2, "arm, block, replicate"),
    "no unit": (with_column("unit", ["bytes", "bytes", "", "bytes"]), 4, "unit"),
    "block that is a number": (with_column("block", [1, 2, 3, 4]), 2, "block"),
    "fraction of a replicate": (with_column("replicate", [0, 0, 0, 0.5]), None, "replicate"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_table_off_the_schema_is_refused_in_one_line_with_file_and_line(case):
    frame, line, words = BROKEN[case]
    with pytest.raises(ValueError, match="rerun the experiment") as error:
        observations.validate(frame, "results/mla.csv")
    message = str(error.value)
    assert message.startswith("results/mla.csv" + (f", line {line}: " if line else ": "))
    assert words in message
    assert "\n" not in message


def test_whole_numbers_become_floats_and_rows_stay():
    frame = observations.table(rows(value=3))
    assert frame["value"].tolist() == [3.0] * 4
    assert frame["value"].dtype == float
    assert frame.columns.tolist() == observations.COLUMNS


def test_rows_lacking_a_field_are_refused():
    with pytest.raises(ValueError, match="metric"):
        observations.table([{k: v for k, v in rows()[0].items() if k != "metric"}])


def test_what_is_written_is_read_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(3)
    values = [*rng.lognormal(sigma=20, size=2000), 0.1 + 0.2, 5e-324, 1e23, 8.41e21]
    frame = observations.table(
        {**rows(count=1)[0], "block": f"{i:05d}", "value": value, "unit": "1"}
        for i, value in enumerate(values)
    )
    [path] = observations.write(tmp_path, frame, CONDITIONS)
    again, conditions = observations.read(path)
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert conditions["tier"] == "at-scope"
    assert conditions["observations_sha256"] == sha256(path)


def test_text_that_looks_like_something_else_stays_text(tmp_path):
    odd = ["NA", "", "007", "1e3", "null", 'a "quoted", one', "二\n行"]
    frame = observations.table(
        {**rows(count=1)[0], "block": block or "x", "metric": block or "x"} for block in odd
    )
    [path] = observations.write(tmp_path, frame, CONDITIONS)
    pd.testing.assert_frame_equal(observations.read(path)[0], frame)


def test_each_arm_has_a_table_and_conditions_of_its_own(tmp_path):
    frame = observations.table(rows("mla") + rows("mha", 3))
    written = observations.write(tmp_path, frame, CONDITIONS | {"seeds": [1]})
    assert [path.name for path in written] == ["mha.csv", "mla.csv"]
    for path, count in zip(written, (3, 4)):
        table, conditions = observations.read(path)
        assert (len(table), conditions["arm"], conditions["seeds"]) == (count, path.stem, [1])
    assert len(list(tmp_path.iterdir())) == 4


def test_a_faulty_table_leaves_what_was_there(tmp_path):
    [path] = observations.write(tmp_path, observations.table(rows()), CONDITIONS)
    with pytest.raises(ValueError, match="not a finite number"):
        observations.write(tmp_path, with_column("value", np.nan), CONDITIONS)
    assert len(observations.read(path)[0]) == 4


@pytest.fixture
def written(tmp_path):
    [path] = observations.write(tmp_path, observations.table(rows()), CONDITIONS)
    return path


def refused(path):
    with pytest.raises(ValueError) as error:
        observations.read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_hand_edited_table_is_refused_by_name(written):
    written.write_text(written.read_text().replace("2.0", "2.1"))
    assert refused(written).startswith(f"{written}: changed after the experiment wrote it")


def test_missing_files_are_named(written):
    sidecar = written.with_suffix(".conditions.json")
    kept = sidecar.read_text()
    sidecar.unlink()
    assert refused(written).startswith(f"{sidecar}: missing")
    sidecar.write_text(kept)
    written.unlink()
    assert refused(written).startswith(f"{written}: missing")


@pytest.mark.parametrize("content", ["", '{"tier": ', "[]", "{}", '{"observations_sha256": null}'])
def test_conditions_that_do_not_pin_the_table_are_refused_by_name(written, content):
    sidecar = written.with_suffix(".conditions.json")
    sidecar.write_text(content)
    assert sidecar.name in refused(written)


@pytest.mark.parametrize(
    "content", ["", "experiment,arm\n", 'a,"b\n', "a,b\n1,2\n1,2,3\n", "\ufffe"]
)
def test_a_pinned_file_that_is_no_table_is_named(written, content):
    written.write_text(content)
    sidecar = written.with_suffix(".conditions.json")
    pinned = json.loads(sidecar.read_text()) | {"observations_sha256": sha256(written)}
    sidecar.write_text(json.dumps(pinned))
    assert refused(written).startswith(f"{written}: ")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fallback": []}, "fallback: unknown key, did you mean 'fallbacks'?"),
        ({"counter": "torch"}, "counter: unknown key"),
        ({"dtype": None}, "dtype: required key is missing"),
        ({"tier": "great"}, "tier: expected 'at-scope'"),
        ({"seeds": ["1"]}, "seeds.0: expected a whole number"),
        ({"hardware": {"cpu": "x"}}, "hardware.Hardware.cores: required key is missing"),
        ({"models": {"own": {"path": "/home/me"}}}, "models.own.path: a folder of this machine"),
    ],
)
def test_conditions_off_their_type_are_refused_by_key_before_anything_is_written(
    tmp_path, change, told
):
    frame = observations.table(rows())
    with pytest.raises(ValueError) as error:
        observations.write(tmp_path, frame, CONDITIONS | change)
    assert f"conditions of {tmp_path / 'mla.csv'}: {told}" in str(error.value)
    for missing in ("ran", "fallbacks", "deviations", "warmup", "hardware", "software"):
        less = {name: value for name, value in CONDITIONS.items() if name != missing}
        with pytest.raises(ValueError, match=f"{missing}: required key is missing"):
            observations.write(tmp_path, frame, less)
    assert not list(tmp_path.iterdir())


def test_published_results_have_no_machine_of_their_own(tmp_path):
    published = {"tier": "published", "fallbacks": [], "deviations": []}
    [path] = observations.write(tmp_path, observations.table(rows()), published)
    assert observations.read(path)[1]["tier"] == "published"


def test_what_a_single_experiment_adds_stands_apart_also_where_an_older_version_wrote(written):
    sidecar = written.with_suffix(".conditions.json")
    older = json.loads(sidecar.read_text()) | {"counter": "torch", "own": {"steps": 3}}
    sidecar.write_text(json.dumps(older))
    assert observations.read(written)[1]["own"] == {"counter": "torch", "steps": 3}


def test_environment_tells_hardware_and_versions_for_json():
    found = observations.environment()
    assert found["hardware"]["cores"] >= 1
    assert found["hardware"]["memory_bytes"] > 2**28
    assert found["software"]["pandas"] == pd.__version__
    assert json.loads(json.dumps(found, allow_nan=False)) == found
