"""What preflight says of the hub's models."""

import pytest
from hub_server import Repository
from kensho.data import hub
from kensho.models.catalogue import Model
from kensho.run import preflight

NAME = "maker/model"
FILES = {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"weights"}
ENTRY = {"hub": NAME, "licence": "MIT", "licence_class": "permissive", "role": "base"}


@pytest.fixture
def locked(hub_server, tmp_path):
    hub_server.repositories[NAME] = Repository(FILES)
    return hub.resolve(NAME, revision=None, cache=tmp_path / "cache", date="2026-11-26")


def looked(lock, needed=("m",), **change):
    models = {"m": Model.model_validate(ENTRY | change)}
    _, *others = preflight.models(models, lock, ["permissive"], needed)
    return [(finding.state, finding.seen, finding.mend) for finding in others]


def test_what_is_locked_and_still_so_is_fine(locked):
    assert looked({NAME: locked}) == []


def test_what_stands_in_the_way_is_a_problem_where_the_model_is_needed(locked):
    for change, lock, seen, mend in (
        ({}, {}, "not locked: m", "lock"),
        ({"revision": "1" * 40}, {NAME: locked}, "locked at another commit", "lock"),
        ({"licence_class": "nc"}, {NAME: locked}, "under licence class nc: m", "add nc"),
        ({"licence_class": None}, {NAME: locked}, "licence not known: m", "set licence"),
        ({"hub": None}, {}, "repository not known: m", "set `hub`"),
    ):
        for needed, state in ((["m"], "problem"), ([], "note")):
            ((found, cause, cure),) = looked(lock, needed, **change)
            assert found == state and cause.startswith(seen) and mend in cure


def test_a_gated_model_without_a_token(locked, monkeypatch):
    lock = {NAME: locked.model_copy(update={"gated": True})}
    ((state, seen, mend),) = looked(lock)
    assert (state, seen) == ("problem", "gated, and there is no token: m") and "HF_TOKEN" in mend
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    assert looked(lock) == []


def test_a_model_of_a_package_needs_no_hub(hub_server):
    assert looked({}, files={"gguf": "m"}) == []


def test_a_moved_repository_is_a_note_unless_a_commit_is_set_or_nobody_can_be_asked(
    hub_server, locked, monkeypatch
):
    hub_server.repositories[NAME].commit(FILES)
    ((state, seen, mend),) = looked({NAME: locked})
    assert state == "note" and seen.startswith(f"{NAME} has moved") and "lock" in mend
    assert looked({NAME: locked}, revision=locked.commit) == []
    hub_server.seen.clear()
    monkeypatch.setenv("KENSHO_OFFLINE", "1")
    assert looked({NAME: locked}) == [] and not hub_server.seen
    monkeypatch.delenv("KENSHO_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert looked({NAME: locked}) == []


def test_bytes_to_fetch_are_those_of_needed_models_that_the_cache_lacks(locked, tmp_path):
    models = {"m": Model.model_validate(ENTRY), "n": Model.model_validate(ENTRY)}
    lock, cache = {NAME: locked}, tmp_path / "cache"
    assert preflight.bytes_of_hub(models, lock, ["m"], cache) == len(FILES["model.safetensors"])
    assert preflight.bytes_of_hub(models, lock, [], cache) == 0
    hub.fetch(NAME, locked, cache)
    assert preflight.bytes_of_hub(models, lock, ["m"], cache) == 0
    assert preflight.bytes_of_hub(models, {}, ["m"], cache) == 0
