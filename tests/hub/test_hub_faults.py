"""The hub's models against a server on this machine: one line for each fault, no half a file."""

import hashlib
import json
import random
import re
import socket
from pathlib import Path

import pytest
from hub_server import Repository
from kensho.data import hub

NAME = "maker/model-1B"
DATE = "2026-11-26"
DRAW = random.Random(0)
SHARDS = {f"model-0000{n}-of-00002.safetensors": DRAW.randbytes(200_000) for n in (1, 2)}
FIRST, SECOND = SHARDS
INDEX = json.dumps({"weight_map": {f"layer.{n}": shard for n, shard in enumerate(SHARDS)}})
CONFIG = json.dumps({"model_type": "llama"}).encode()
WHOLE = {
    "config.json": CONFIG,
    "tokenizer.json": b"{}",
    "tokenizer.model": b"pieces",
    "chat_template.jinja": b"{{ messages }}",
    "model.safetensors.index.json": INDEX.encode(),
    **SHARDS,
}
BESIDE = {
    "README.md": b"#",
    "pytorch_model.bin": b"pickle",
    "pytorch_model.bin.index.json": b"{}",
    "modeling.py": b"import os",
}


@pytest.fixture
def repository(hub_server):
    repository = hub_server.repositories[NAME] = Repository(WHOLE | BESIDE)
    return repository


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def resolve(cache, revision=None, name=NAME):
    return hub.resolve(name, revision=revision, cache=cache, date=DATE)


def read(folder):
    return {path: (folder / path).read_bytes() for path in WHOLE if (folder / path).exists()}


def half_written(cache):
    """Files of the cache that are not, as a whole, one of the repository's."""
    known = {hashlib.sha256(content).hexdigest() for content in WHOLE.values()}
    blobs = [p for p in cache.glob("models--*/blobs/*") if not p.name.endswith(".lock")]
    return [p for p in blobs if hashlib.sha256(p.read_bytes()).hexdigest() not in known]


def says(error, *parts):
    line = str(error.value)
    assert "\n" not in line and all(part in line for part in parts), line


def test_what_is_locked_is_fetched_and_nothing_else(hub_server, repository, cache):
    locked = resolve(cache)
    assert locked.commit == repository.head and not locked.gated and locked.answered == NAME
    assert locked.endpoint == hub_server.url
    assert {path: file.sha256 for path, file in locked.files.items()} == {
        path: hashlib.sha256(content).hexdigest() for path, content in WHOLE.items()
    }
    snapshot = hub.snapshot_of(locked, cache)
    assert not {*SHARDS} & {path.name for path in snapshot.iterdir()}
    left = sum(len(content) for path, content in WHOLE.items() if not (snapshot / path).exists())
    assert hub.still_to_come(snapshot, locked) == left
    folder = hub.fetch(NAME, locked, cache)
    assert read(folder) == WHOLE and {path.name for path in folder.iterdir()} == {*WHOLE}
    assert hub.Locked.model_validate(json.loads(locked.model_dump_json())) == locked


def test_a_second_fetch_asks_nothing_and_works_offline(hub_server, repository, cache):
    locked = resolve(cache)
    folder = hub.fetch(NAME, locked, cache)
    hub_server.seen.clear()
    assert hub.fetch(NAME, locked, cache, offline=True) == folder
    with pytest.raises(ValueError) as error:
        hub.fetch(NAME, locked, cache / "other", offline=True)
    assert not hub_server.seen
    says(error, "HF_HUB_OFFLINE is set", "paths.mirror")


def test_a_locked_revision_stays_when_the_hub_moves(repository, cache):
    locked = resolve(cache)
    assert hub.moved(NAME, locked) is None
    repository.commit({**WHOLE, "new.json": b"{}"})
    assert hub.moved(NAME, locked) == (
        f"{NAME} has moved from {locked.commit[:12]}, which is used, to {repository.head[:12]}"
    )
    assert "new.json" not in {path.name for path in hub.fetch(NAME, locked, cache).iterdir()}
    assert resolve(cache, revision=locked.commit) == locked
    assert "new.json" in resolve(cache).files


def test_a_commit_that_is_gone(repository, cache):
    locked = resolve(cache)
    repository.commits = {"0" * 40: WHOLE}
    repository.head = "0" * 40
    with pytest.raises(ValueError) as error:
        hub.fetch(NAME, locked, cache / "fresh")
    says(error, "no such commit", "snakemake lock")
    with pytest.raises(ValueError) as error:
        resolve(cache, revision="1" * 40)
    says(error, "no such commit", "mend `revision`")


def test_a_gated_model_needs_a_token(repository, cache, monkeypatch):
    repository.gated = True
    with pytest.raises(ValueError) as error:
        resolve(cache)
    says(error, f"{NAME} is gated", "set HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    locked = resolve(cache)
    assert locked.gated and read(hub.fetch(NAME, locked, cache)) == WHOLE
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ValueError) as error:
        hub.fetch(NAME, locked, cache / "fresh")
    says(error, f"{NAME} is gated")


def test_an_unknown_repository(hub_server, cache):
    with pytest.raises(ValueError) as error:
        resolve(cache, name="maker/none")
    says(error, "no repository maker/none", "mend `hub`")


def test_the_name_that_answered_is_locked(hub_server, repository, cache):
    hub_server.renamed["maker/old-name"] = NAME
    locked = resolve(cache, name="maker/old-name")
    assert locked.answered == NAME and read(hub.fetch("maker/old-name", locked, cache)) == WHOLE


def test_a_connection_cut_in_the_middle_is_resumed(hub_server, repository, cache):
    large = DRAW.randbytes(24_000_000)  # huggingface_hub writes 10 MiB at a time
    repository.commit({**WHOLE, FIRST: large})
    locked = resolve(cache)
    repository.cut = 2
    assert read(hub.fetch(NAME, locked, cache)) == {**WHOLE, FIRST: large}
    assert any(begin for _, _, begin in hub_server.seen)


def test_a_connection_that_is_always_cut_leaves_no_half_a_file(repository, cache, monkeypatch):
    locked = resolve(cache)
    repository.cut = 10**6
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between huggingface_hub's attempts
    with pytest.raises(ConnectionError) as error:
        hub.fetch(NAME, locked, cache)
    says(error, "broke off", "run again")
    assert half_written(cache) == []
    repository.cut = 0
    assert read(hub.fetch(NAME, locked, cache)) == WHOLE


def test_a_file_that_the_hub_lacks(repository, cache):
    locked = resolve(cache)
    repository.lost.add(SECOND)
    with pytest.raises(ValueError) as error:
        hub.fetch(NAME, locked, cache)
    says(error, "lacks a file", "snakemake lock")
    assert half_written(cache) == []


def test_a_file_with_another_sha256_is_removed_and_named(repository, cache):
    locked, shard = resolve(cache), FIRST
    repository.lies[shard] = bytes(reversed(SHARDS[shard]))
    with pytest.raises(ValueError) as error:
        hub.fetch(NAME, locked, cache)
    says(error, shard, "another sha256", "removed")
    assert half_written(cache) == [] and not (hub.snapshot_of(locked, cache) / shard).exists()
    repository.lies.clear()
    assert read(hub.fetch(NAME, locked, cache)) == WHOLE


def test_a_spoilt_cache_is_mended(repository, cache, capsys):
    locked = resolve(cache)
    shard = hub.fetch(NAME, locked, cache) / FIRST
    shard.resolve().write_bytes(b"x" * len(SHARDS[shard.name]))
    assert read(hub.fetch(NAME, locked, cache)) == WHOLE
    assert f"{shard.name} not as locked, fetched again" in capsys.readouterr().err


def test_a_small_file_other_than_the_tree_says_is_not_locked(repository, cache):
    repository.lies["tokenizer.json"] = b"[]"
    with pytest.raises(ValueError) as error:
        resolve(cache)
    says(error, "tokenizer.json is not what its tree says")
    repository.lies.clear()
    assert resolve(cache).files


SINGLE = {"config.json": CONFIG, "model.safetensors": b"weights"}
REFUSED = {
    "only pickles": (
        {"config.json": CONFIG, "pytorch_model.bin": b"pickle"},
        ["only pickles (pytorch_model.bin)", "`revision`"],
    ),
    "no weights": ({"config.json": CONFIG, "onnx.data": b""}, ["no safetensors weights"]),
    "no config": ({"model.safetensors": b""}, ["no config.json"]),
    "a shard short": (
        {path: content for path, content in WHOLE.items() if path != SECOND},
        [f"lacks {SECOND}", "its index names"],
    ),
    "its own code": (
        SINGLE | {"config.json": b'{"model_type": "made_up", "auto_map": {"AutoConfig": "x.Y"}}'},
        ["needs trust_remote_code", "'made_up'"],
    ),
}


@pytest.mark.parametrize("files, parts", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_by_name(hub_server, cache, files, parts):
    hub_server.repositories[NAME] = Repository(files)
    with pytest.raises(ValueError) as error:
        resolve(cache)
    says(error, NAME, *parts)


def test_code_for_an_architecture_that_transformers_has_is_left_out(hub_server, cache):
    config = b'{"model_type": "deepseek_v3", "auto_map": {"AutoConfig": "modeling.Y"}}'
    hub_server.repositories[NAME] = Repository(
        SINGLE | {"config.json": config, "modeling.py": b"import os"}
    )
    assert {*resolve(cache).files} == {"config.json", "model.safetensors"}


def test_no_network(repository, cache, monkeypatch):
    locked = resolve(cache)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between huggingface_hub's attempts
    for attempt in (lambda: resolve(cache), lambda: hub.fetch(NAME, locked, cache)):
        with pytest.raises(ConnectionError) as error:
            attempt()
        says(error, NAME, "cannot be reached", "paths.mirror")
    assert half_written(cache) == []


def test_more_than_the_disk_has(repository, cache):
    locked = resolve(cache)
    huge = {path: file.model_copy(update={"bytes": 10**18}) for path, file in locked.files.items()}
    with pytest.raises(ValueError) as error:
        hub.fetch(NAME, locked.model_copy(update={"files": huge}), cache)
    says(error, "GB to fetch", "paths.models")


def test_a_cache_that_takes_no_files(repository, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError) as error:
        resolve(tmp_path / "file")
    says(error, NAME, "Not a directory", "paths.models")


def test_a_planted_file_does_not_stay_in_the_cache(repository, cache, capsys):
    locked = resolve(cache)
    planted = hub.fetch(NAME, locked, cache) / "model.safetensors"
    planted.write_bytes(b"other weights")
    assert read(hub.fetch(NAME, locked, cache)) == WHOLE and not planted.exists()
    assert "model.safetensors not as locked" in capsys.readouterr().err


def write(folder, files):
    for path, content in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_a_mirror_is_used_where_it_is_what_is_locked(
    hub_server, repository, cache, tmp_path, capsys
):
    locked = resolve(cache)
    mirrored = write(tmp_path / "mirror" / NAME, WHOLE)
    hub_server.seen.clear()
    assert hub.fetch(NAME, locked, cache, mirror=tmp_path / "mirror") == mirrored
    assert not hub_server.seen
    (mirrored / "config.json").write_bytes(b"{}")
    assert hub.fetch(NAME, locked, cache, mirror=tmp_path / "mirror") != mirrored
    assert "config.json in the mirror missing, or not as locked" in capsys.readouterr().err
    assert (mirrored / "config.json").read_bytes() == b"{}"


def test_a_local_folder_counts_by_its_hashes(repository, cache, tmp_path):
    locked = resolve(cache)
    folder = write(tmp_path / "own", WHOLE)
    assert hub.fetch(NAME, locked, cache, folder=folder) == folder
    shard = folder / FIRST
    shard.write_bytes(bytes(len(SHARDS[shard.name])))
    with pytest.raises(ValueError) as error:
        hub.fetch(NAME, locked, cache, folder=folder)
    says(error, shard.name, "leave `folder` out")
    assert shard.is_file()
    write(folder, WHOLE | {"adapter_config.json": b"{}"})
    with pytest.raises(ValueError) as error:
        hub.fetch(NAME, locked, cache, folder=folder)
    says(error, "adapter_config.json", "no others")


def test_no_token_in_what_is_said(repository, cache, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    monkeypatch.setenv("HF_ENDPOINT", "http://user:hf_planted@127.0.0.1:9")
    with pytest.raises(ConnectionError) as error:
        resolve(cache)
    assert not re.search("hf_planted|user", str(error.value)), error.value
    assert Path(cache).exists() is False
