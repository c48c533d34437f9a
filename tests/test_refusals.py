"""What a job that fails says on the terminal, and what stands in its log alone."""

import pytest
from kensho.files import read_json
from kensho.run import events
from kensho.run.job import job
from scripted import snakemake


def run(body):
    with pytest.raises(SystemExit), job(snakemake("import", {"name": "own"})):
        body()
    return events.failures(events.read())


def broken():
    raise RuntimeError("the third step broke")


@pytest.mark.parametrize("content", ["{", "[1,", "nul"])
def test_a_refusal_in_our_words_is_not_followed_by_where_it_was_raised(
    tmp_path, monkeypatch, content
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_text(content)
    said = run(lambda: read_json(tmp_path / "x.json"))
    assert said[0].startswith("rule import own failed: ") and "x.json" in said[0]
    assert said[1:] == ["  log: logs/import.log"]
    assert "Traceback" in (tmp_path / "logs/import.log").read_text()


def test_any_other_failure_shows_the_end_of_its_log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = run(broken)
    assert said[-1] == "  | RuntimeError: the third step broke"
