"""Crates of a small run: what rests on what, what stays outside, and what no export passes over."""

import re
import zipfile
from pathlib import Path

import pytest
import small_run
from crate_graph import entities, judged, reached
from kensho.provenance import bundle, history
from kensho.run import events

FOLDER, ARCHIVE = Path("results/provenance"), Path("results/kensho.crate.zip")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def exported(*claims, **settings):
    """Entities of the crate of what is here."""
    read = history.read(Path(), small_run.workflow(claims or small_run.CLAIMS, **settings))
    bundle.export(read, FOLDER, ARCHIVE)
    return entities(FOLDER)


def test_verdicts_rest_on_what_made_them_and_on_nothing_else():
    small_run.run()
    graph = exported()
    assert judged(graph) == {*small_run.CLAIMS}
    cache, adaptation = (reached(graph, claim) for claim in ("R-1", "T-1"))
    assert small_run.CARDS in cache
    assert not [name for name in cache if re.search("source-|results/(data|models|train)/", name)]
    weights = {f"#{small_run.ADAPTER}", "#results/models/tiny"}
    assert adaptation >= {"#source-corpus", "#source-tiny", "results/data/train.csv"} | weights
    assert {graph[name]["@id"] for name in cache | adaptation} == cache | adaptation


def test_every_attempt_stands_in_the_crate_and_failed_ones_say_why():
    small_run.run()
    small_run.failed("evaluate", ["results/evaluation/other/samples.jsonl"], "broke", arm="other")
    graph = exported()
    attempts = {event.attempt for event in events.read() if event.attempt}
    assert attempts == {name.removeprefix("#attempt-") for name in graph if "#attempt-" in name}
    failed = [e for e in graph.values() if "FailedActionStatus" in str(e.get("actionStatus"))]
    assert {event.host for event in events.read(FOLDER / events.LOG)} <= {"host-1", ""}
    causes = [(e["@type"], e["error"]) for e in failed if "#attempt-" in e["@id"]]
    assert causes == [("ActivateAction", "out of memory"), ("ActivateAction", "broke")]


def test_weights_stay_outside_and_are_known_by_their_digests():
    small_run.run()
    graph = exported()
    for name in (f"#{small_run.ADAPTER}", "#results/models/tiny"):
        assert re.fullmatch("[0-9a-f]{64}", graph[name]["sha256"])
        assert graph[name]["description"].startswith("not in the crate: ")
    assert not [*FOLDER.rglob("*.safetensors")]


def test_texts_that_may_not_be_passed_on_stay_outside_and_say_why():
    small_run.run()
    assert "results/data/train.csv" in exported()
    graph = exported(texts=["by"])
    assert "texts of corpus" in graph["#results/data/train.csv"]["description"]
    assert "results/data/train.csv" not in graph and not (FOLDER / "results/data").exists()


def test_two_exports_are_equal_and_the_zip_holds_the_folder():
    small_run.run()
    exported()
    first = ARCHIVE.read_bytes()
    exported()
    assert ARCHIVE.read_bytes() == first
    files = {path for path in FOLDER.rglob("*") if path.is_file()}
    with zipfile.ZipFile(ARCHIVE) as crate:
        assert {FOLDER / name for name in crate.namelist()} == files
        assert all(crate.read(str(p.relative_to(FOLDER))) == p.read_bytes() for p in files)


def test_a_run_of_one_claim_says_why_the_others_have_no_verdict():
    small_run.run(["R-1"])
    graph = exported("R-1")
    assert judged(graph) == {"R-1"}
    assert graph["#rating-T-1"]["ratingValue"] == "NOT TESTED"
    assert graph["#review-T-1"]["reviewBody"] == small_run.UNTESTED


def test_an_edited_observation_stops_the_export_by_name():
    small_run.run()
    exported()
    before = ARCHIVE.read_bytes()
    table = Path("results/benchmark_data/kv_cache/mla.csv")
    table.write_text(table.read_text().replace("576", "577"))
    with pytest.raises(ValueError, match=f"^{table}: is not what kv_cache wrote"):
        exported()
    assert ARCHIVE.read_bytes() == before
