"""Names of folders in which a run may be, and in which it may not."""

from pathlib import Path

import pytest
from kensho import place
from kensho.fallback import REHEARSAL


@pytest.mark.parametrize(
    "name", ["a b", "a'b", 'a"b', "a\tb", "a　b", "a$b", "a&b", "a{x}b", "a;b"]
)
@pytest.mark.parametrize("under", [False, True])
def test_a_name_that_shells_read_as_more_is_refused_in_a_line(tmp_path, monkeypatch, name, under):
    folder = tmp_path / name / "repository" if under else tmp_path / name
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    said = place.refusal(folder, "/usr/bin/python3")
    assert said.startswith(f"{folder}: ") and "folder without it" in said
    assert "\n" not in said.removeprefix(str(folder))
    monkeypatch.chdir(tmp_path)
    assert place.refusal(tmp_path, f"{folder}/python").startswith(f"{folder}/python: ")


@pytest.mark.parametrize(
    "name", ["検証", "か\u3099", "a#b", "a%20b", "a,b=c", "a+b@c", "-a", "~a!"]
)
def test_other_names_are_names(tmp_path, monkeypatch, name):
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert place.refusal(folder, "/usr/bin/python3") is None


def test_a_step_of_a_rehearsal_goes_to_the_repository_and_no_other_does(tmp_path, monkeypatch):
    inside = tmp_path / "rehearsal"
    inside.mkdir()
    for variable, ends in ((None, inside), ("1", tmp_path)):
        monkeypatch.chdir(inside)
        monkeypatch.delenv(REHEARSAL, raising=False)
        if variable:
            monkeypatch.setenv(REHEARSAL, variable)
        place.step_out(tmp_path)
        assert Path.cwd() == ends
    place.step_out(tmp_path)
    assert Path.cwd() == tmp_path
