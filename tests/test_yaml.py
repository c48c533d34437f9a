"""YAML 1.1 takes `on`, 1:30, dates and 010 for something else than text; users never meant it."""

from pathlib import Path

import pytest
import yaml
from kensho.claims import registry
from kensho.validation import misread, read_yaml

ROOT = Path(__file__).parents[1]
TEXT = ["on", "off", "yes", "no", "No", "ON", "y", "n", "1:30", "190:20:30", "2026-05-01", "010"]
TEXT += ["2026-05-01T10:00:00Z", "1_000", "0x1F", "0o17", "07.30", "12e4567", "2026-13-45"]


@pytest.mark.parametrize("text", TEXT)
def test_text_is_read_as_text_in_every_place(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(f"{text}: 1\nvalue: {text}\nlist: [{text}, [{text}]]\n")
    assert read_yaml(path) == {text: 1, "value": text, "list": [text, [text]]}


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("~", None), ("", None), ("null", None), ("-3", -3),
     ("0", 0), ("+4", 4), ("0.5", 0.5), (".5", 0.5), ("1e-3", 0.001), ("1.5e3", 1500.0),
     ("-1.0E+2", -100.0), (".inf", float("inf"))],
)  # fmt: skip
def test_numbers_and_truth_values_stay_what_they_are(tmp_path, text, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"a: {text}\n")
    found = read_yaml(path)["a"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("folder", ["config", "resources", "envs", "profiles"])
def test_the_shipped_files_mean_the_same_to_every_reader(folder):
    paths = sorted((ROOT / folder).rglob("*.yaml"))
    assert paths
    for path in paths:
        assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))
        assert misread(path) == []


CLAIM = """
- id: X-1
  source: own
  statement: "A beats B"
  quantity: "accuracy, a - b"
  unit: share
  claimed: {at_least: 0}
  scope: {models: [any], hardware: any}
  test:
    design: tasks
    on: average
    experiment: 1:30
    readings:
      - {label: no, treatment: {arm: on, metric: y}, control: {arm: 010, metric: y}}
    region: [0, null]
    direction: greater
    sesoi: 0.01
    min_units: 3
  not_tested: ~
"""


@pytest.mark.parametrize("on", ["average", "all", "at_least\n    at_least: 2"])
def test_a_claim_is_written_as_the_documentation_has_it(tmp_path, on):
    (tmp_path / "a.yaml").write_text(CLAIM.replace("on: average", f"on: {on}"))
    test = registry.load(tmp_path)[0].test
    assert (test.on, test.experiment) == (on.split()[0], "1:30")
    assert test.readings[0].label == "no" and set(test.arms) == {"on", "010"}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("id", "1.5", "a.yaml: 1.5.id: expected text, found 1.5; put it in quotes"),
     ("unit", "true", ".unit: expected text, found true; put it in quotes"),
     ("quantity", "12", ".quantity: expected text, found 12; put it in quotes")],
)  # fmt: skip
def test_what_is_no_text_is_told_to_be_quoted(tmp_path, key, value, said):
    claim = yaml.safe_load((ROOT / "config/claims/main.yaml").read_text(encoding="utf-8"))[0]
    claim[key] = yaml.safe_load(value)
    (tmp_path / "a.yaml").write_text(yaml.safe_dump([claim]))
    with pytest.raises(registry.ClaimError) as error:
        registry.load(tmp_path)
    assert any(said in line for line in error.value.lines), error.value.lines


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("name: on", "`on` is read as true; put it in quotes, or write true if that is meant"),
        ("off: 1", "`off` is read as false; put it in quotes"),
        ("name: 1:30", "`1:30` is read as 90; put it in quotes"),
        ("name: [a, 010]", "`010` is read as 8; put it in quotes"),
        ("name: 2026-05-01", "`2026-05-01` is read as a date; put it in quotes"),
        ("rate: 1e-3", "`1e-3` is read as text; put it in quotes, or write 0.001"),
    ],
)
def test_what_snakemake_takes_for_another_is_named_by_line(tmp_path, line, said):
    path = tmp_path / "mine.yaml"
    path.write_text(f"# a comment\ntrain:\n  {line}\n  other: 'on'\n")
    [found] = misread(path)
    assert found.startswith(f"{path}:3: {said}")


@pytest.mark.parametrize("text", ["", "{", "a: 'on'", '{"a": "010", "b": true}', "a: &x b\nc: *x"])
def test_other_files_have_nothing_to_be_named(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    assert misread(tmp_path / "a.yaml") == [] and misread(tmp_path / "none.yaml") == []
