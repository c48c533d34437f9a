"""config/models.yaml: every model that a claim speaks of, and what is refused in the file."""

from pathlib import Path

import pytest
import yaml
from kensho.claims import registry
from kensho.data import sources
from kensho.data.hub import File, Locked
from kensho.models import cards, catalogue, lock
from kensho.models.catalogue import Model

FILE = "config/models.yaml"
SOURCES, _ = sources.load("config/sources.yaml")
CARDS = cards.load(Path("resources/architectures.yaml"))
MODELS, FAULTS = catalogue.load(FILE, SOURCES, CARDS)
CLAIMS = registry.load(Path("config/claims"))
ENTRY = {"hub": "maker/model", "licence": "MIT", "licence_class": "permissive", "role": "base"}


def test_the_catalogue_has_no_fault():
    assert FAULTS == []


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_model_of_a_claims_scope_is_in_the_catalogue(claim):
    unknown = [name for name in claim.scope.models if not catalogue.named(MODELS, name)]
    assert unknown in ([], ["any"])


def test_every_model_from_a_package_is_a_model_of_the_sources():
    held = {file: MODELS[name] for name in MODELS for file in MODELS[name].files.values()}
    of_kind = {name for name, source in SOURCES.items() if source.kind == "model"}
    assert {*held} == of_kind
    for file, model in held.items():
        assert model.licence_class == SOURCES[file].licence_class
        assert model.licence == SOURCES[file].licence


def test_a_card_is_that_of_the_repository_or_of_its_dimensions():
    for model in MODELS.values():
        if model.card and model.hub and model.card in CARDS:
            assert model.context, model.hub
    of_hub = {card.source.removeprefix("huggingface.co/"): name for name, card in CARDS.items()}
    for model in MODELS.values():
        if model.hub in of_hub:
            assert model.card == of_hub[model.hub]


def test_what_stands_in_runs_itself_at_that_scale():
    for model in MODELS.values():
        for scale, other in model.stands_in.items():
            assert scale not in MODELS[other].stands_in


WRONG = {
    "unknown key": ({"licens": "MIT"}, ["m.licens: unknown key, did you mean 'licence'?"]),
    "role": ({"role": "bas"}, ["m.role: expected 'base'"]),
    "hub": ({"hub": "model"}, ["m.hub: "]),
    "revision": ({"revision": "main"}, ["m.revision: "]),
    "scale": ({"stands_in": {"ful": "other"}}, ["m.stands_in"]),
    "card": ({"card": "llama-2-7"}, ["m.card: 'llama-2-7' is not in", "mean 'llama-2-7b'?"]),
    "files": ({"files": {"gguf": "gemma"}}, ["m.files: 'gemma' is not in config/sources.yaml"]),
    "stands in for itself": ({"stands_in": {"full": "m"}}, ["m.stands_in: 'm' is not in"]),
    "two at once": ({"card": "x", "dtype": "int8"}, ["m.dtype: expected"]),
}


@pytest.mark.parametrize("change, parts", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path, change, parts):
    _, faults = written(tmp_path, {"m": ENTRY | change})
    for part in parts:
        assert any(line.startswith(str(tmp_path)) and part in line for line in faults), faults


def test_all_problems_are_reported_and_a_name_belongs_to_one_model(tmp_path):
    entries = {"a": ENTRY | {"card": "x"}, "b": ENTRY | {"role": 1}, "c": ENTRY, "d": ENTRY}
    models, faults = written(tmp_path, entries)
    assert [*models] == ["a", "c", "d"] and len(faults) == 4
    assert sum("'maker/model' is" in line for line in faults) == 2


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: 1"])
def test_a_file_that_is_no_catalogue_is_a_problem(tmp_path, text):
    path = tmp_path / "models.yaml"
    path.write_text(text, encoding="utf-8")
    assert catalogue.load(path, (), {})[1]


def written(folder, entries):
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump(entries), encoding="utf-8")
    return catalogue.load(path, SOURCES, CARDS)


def entry(commit, endpoint="https://huggingface.co"):
    files = {"config.json": File(sha256="0" * 64, bytes=3)}
    return Locked(
        endpoint=endpoint, commit=commit * 40, resolved="2026-11-26", answered="maker/model",
        gated=False, files=files,
    )  # fmt: skip


def test_a_lock_is_what_was_written(tmp_path):
    path = tmp_path / "models.lock.yaml"
    assert lock.load(path) == ({}, [])
    lock.write({"maker/model": entry("1"), "maker/other": entry("2")}, path)
    assert lock.load(path) == ({"maker/model": entry("1"), "maker/other": entry("2")}, [])
    path.write_text(path.read_text().replace("bytes: 3", "bytes: -3"), encoding="utf-8")
    assert len(lock.load(path)[1]) == 2


def test_locking_says_what_moved_and_keeps_what_cannot_be_asked():
    models = {
        name: Model.model_validate(ENTRY | {"hub": f"maker/{name}"} | change)
        for name, change in {
            "new": {}, "same": {}, "moved": {}, "away": {}, "never": {},
            "unread": {"licence_class": None}, "refused": {"licence_class": "nc"},
            "nowhere": {"hub": None},
        }.items()
    }  # fmt: skip
    before = {f"maker/{name}": entry("1") for name in ("same", "moved", "away")}

    def resolve(model):
        if model.hub in ("maker/away", "maker/never"):
            raise ConnectionError("cannot be reached")
        return entry("2" if model.hub == "maker/moved" else "1")

    after, lines = lock.renew(models, before, ["permissive"], resolve)
    said = dict(line.split(": ", 1) for line in lines)
    assert after == before | {"maker/new": entry("1"), "maker/moved": entry("2")}
    assert said["moved"] == f"moved from {'1' * 12} to {'2' * 12}"
    assert said["same"] == "unchanged" and said["new"].startswith(f"locked at {'1' * 12}")
    assert said["away"] == "left as it was: cannot be reached"
    assert said["never"] == "not locked: cannot be reached"
    assert "add nc to licences" in said["refused"] and "set licence" in said["unread"]
    assert "set `hub`" in said["nowhere"]
    with pytest.raises(ValueError, match="nothing was written"):
        lock.renew({"away": models["away"]}, before, ["permissive"], resolve)


def test_another_hub_is_said():
    here = entry("1", "http://127.0.0.1:1")
    _, (line,) = lock.renew(
        {"m": Model.model_validate(ENTRY)}, {"maker/model": entry("1")}, ["permissive"],
        lambda model: here,
    )  # fmt: skip
    assert line == "m: locked at http://127.0.0.1:1, before at https://huggingface.co"
