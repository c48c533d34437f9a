"""Datasets of the hub: pinned by commit and sha256, fetched file by file, refused unpinned."""

import io
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hub_server import Repository
from kensho.data import hub_datasets
from kensho.data.corpora import Corpus, load_lock
from kensho.files import read_json, sha256

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))
from planning import copied, snakemake  # noqa: E402  a module of another folder of tests

NAME = "wikimedia/wikipedia"
ENTRY = {
    "hub": NAME, "files": "20231101.ja/*.parquet", "licence_class": "by-sa",
    "fields": {"text": "text", "document": "id"},
}  # fmt: skip


def shard(begin):
    numbers, file = range(begin, begin + 40), io.BytesIO()
    texts = [f"{n}番目の項目についての記事であり、{n * 7}人が読んだ。" for n in numbers]
    ids = [f"{n}" for n in numbers]
    pq.write_table(pa.table({"id": ids, "text": texts}), file, row_group_size=15)
    return file.getvalue()


@pytest.fixture
def repository(hub_server):
    files = {f"20231101.ja/train-{n:05}-of-00003.parquet": shard(40 * n) for n in range(3)}
    files |= {"20231101.en/train-00000-of-00001.parquet": shard(900), "README.md": b"x"}
    hub_server.repositories[NAME] = Repository(files)
    return hub_server.repositories[NAME]


@pytest.mark.hub
def test_files_of_the_pattern_are_pinned_and_nothing_is_fetched(repository, hub_server):
    locked = hub_datasets.resolve(Corpus.model_validate({**ENTRY, "first": 2}), "2026-01-01")
    assert locked.commit == repository.head
    assert [*locked.files] == [f"20231101.ja/train-{n:05}-of-00003.parquet" for n in range(2)]
    assert not [path for _, path, _ in hub_server.seen if "resolve" in path]
    with pytest.raises(ValueError, match=r"no file like x\* at .*; mend `files`"):
        hub_datasets.resolve(Corpus.model_validate({**ENTRY, "files": "x*"}), "2026-01-01")
    with pytest.raises(ValueError, match="has no sha256 in its tree; name Parquet files"):
        hub_datasets.resolve(Corpus.model_validate({**ENTRY, "files": "*.md"}), "2026-01-01")
    lost = Corpus.model_validate({**ENTRY, "hub": "no/body"})
    with pytest.raises(ValueError, match=r"mend `hub` in config/corpora\.yaml"):
        hub_datasets.resolve(lost, "2026-01-01")


@pytest.mark.hub
def test_a_file_is_fetched_at_its_commit_and_another_content_is_refused(repository, tmp_path):
    locked = hub_datasets.resolve(Corpus.model_validate(ENTRY), "2026-01-01")
    first, second, _ = locked.files
    repository.commit({**repository.commits[repository.head], first: shard(500)})
    got = hub_datasets.fetch("w", locked, first, tmp_path / "hub", None)
    assert sha256(got) == locked.files[first].sha256
    repository.lies[second] = shard(700)
    with pytest.raises((ValueError, ConnectionError), match=r"wikipedia|another sha256"):
        hub_datasets.fetch("w", locked, second, tmp_path / "hub", None)
    mirrored = tmp_path / "mirror" / NAME / second
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(shard(40))
    there = hub_datasets.fetch("w", locked, second, tmp_path / "hub", tmp_path / "mirror")
    assert there == mirrored


@pytest.mark.hub
def test_a_corpus_is_refused_unpinned_then_locked_and_made(repository, hub_server, tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    copied(folder)
    (folder / "config/corpora.yaml").write_text(yaml.safe_dump({"wikipedia-ja": ENTRY}))
    overlay = {
        "corpora": {"make": ["wikipedia-ja"], "shards": 2},
        "paths": {"models": str(tmp_path / "hub")},
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    environment = {"HF_ENDPOINT": hub_server.url, "HF_HOME": str(tmp_path / "home")}

    def run(target):
        command = ["--quiet", "rules", "--configfile", "own.yaml", "--", target]
        return snakemake(folder, *command, **environment)

    refused = run("corpora")
    assert refused.returncode == 1 and "corpus wikipedia-ja: not pinned" in refused.stdout
    locked = run("lock_corpora")
    assert locked.returncode == 0, locked.stdout
    lock = load_lock(folder / "config/corpora.lock.yaml")[0]["wikipedia-ja"]
    assert lock.commit == repository.head and len(lock.files) == 3
    made = run("corpora")
    assert made.returncode == 0, made.stdout
    results = folder / "results/data/wikipedia-ja"
    records = [read_json(results / f"files/{number}.json") for number in range(3)]
    assert [record["name"] for record in records] == [*lock.files]
    tables = [pq.read_table(results / f"documents/{n}.parquet") for n in range(2)]
    rows = [row for table in tables for row in table.to_pylist()]
    assert {row["licence_class"] for row in rows} == {"by-sa"}
    assert all(row["id"].split(":")[0] in lock.files for row in rows)
