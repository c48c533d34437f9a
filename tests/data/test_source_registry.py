"""Records of what was fetched, and the committed list of sources."""

import os
import re
from pathlib import Path

import pytest
import yaml
from kensho.data import sources
from kensho.data.sources import all_unreachable, fetched
from kensho.files import write_json
from source_server import TEXT, digest, publish, pypi, source, wheel

ROOT = Path(__file__).parents[2]


def test_unreachable_sources_are_all_told_and_nothing_is_downloaded(tmp_path, server):
    archive = wheel({"demo/a.tsv": TEXT})
    publish(server, demo_1_0_whl=archive)
    (tmp_path / "x.tsv").write_bytes(TEXT)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / digest(b"held")).write_bytes(b"held")
    gone = {"https": f"{server.url}/none"}
    given = {
        "served": source(gone, {"https": f"{server.url}/a.tsv"}),
        "mirrored": source({"mirror": "x.tsv"}),
        "indexed": source({"pypi": [pypi("demo-1.0.whl", archive)]}),
        "cached": source(gone, content=b"held"),
        "gone": source(gone, {"mirror": "y.tsv"}),
        "away": source({"https": "http://127.0.0.1:1/x"}),
        "not installed": source({"installed": "no-such-thing/x"}),
    }
    away = all_unreachable(given, cache=cache, mirror=tmp_path)
    lines = [*away.values()]
    assert [*away] == ["gone", "away", "not installed"]
    assert [line.split(": no place can be reached")[0] for line in lines] == [
        "source gone", "source away", "source not installed"
    ]  # fmt: skip
    assert f"https: HTTP 404 from {server.url}; mirror: " in lines[0]
    assert all("\n" not in line for line in lines)
    assert {seen[0] for seen in server.seen} == {"HEAD"}
    assert [path.name for path in cache.iterdir()] == [digest(b"held")]


@pytest.fixture
def record(tmp_path, get):
    (tmp_path / "x.tsv").write_bytes(TEXT)
    write_json(tmp_path / "record.json", get(source({"mirror": "x.tsv"}), mirror=tmp_path))
    return tmp_path / "record.json"


def test_fetched_gives_file_and_record(record):
    path, found = fetched(record)
    assert path.read_bytes() == TEXT
    assert found["licence"] == "CC BY 4.0"


def test_a_file_that_was_cut_short_or_went_is_named(record):
    path, _ = fetched(record)
    os.truncate(path, 10)
    with pytest.raises(ValueError, match=re.escape(f"{path}: missing or cut short; delete")):
        fetched(record)
    path.unlink()
    with pytest.raises(ValueError, match=re.escape(str(record))):
        fetched(record)


def test_a_record_that_is_no_record_is_named(record):
    record.write_text('{"path": "x')
    with pytest.raises(ValueError, match=re.escape(str(record))):
        fetched(record)


# The registry of sources


def load(tmp_path, entries):
    path = tmp_path / "sources.yaml"
    path.write_text(entries if isinstance(entries, str) else yaml.safe_dump(entries))
    return path, *sources.load(path)


def test_the_committed_registry_has_no_problem():
    found, problems = sources.load(ROOT / "config/sources.yaml")
    assert problems == []
    assert {"smollm2-135m-instruct", "gemma-3-270m", "tatoeba-japanese-english"} <= set(found)
    assert len({entry.sha256 for entry in found.values()}) == len(found)


def test_all_problems_of_the_registry_come_at_once(tmp_path):
    good = source({"mirror": "x"}).model_dump(exclude_none=True)
    entries = {
        "good": good,
        "typo": good | {"licens": "x"},
        "hash": good | {"sha256": "abc"},
        "nowhere": good | {"places": []},
        "empty-place": good | {"places": [{}]},
        "two-in-one": good | {"places": [{"mirror": "x", "https": "https://x"}]},
        "text": "a sentence",
    }
    path, found, problems = load(tmp_path, entries)
    assert list(found) == ["good"]
    assert f"{path}: typo.licens: unknown key, did you mean 'licence'?" in problems
    assert any(line.startswith(f"{path}: hash.sha256: ") for line in problems)
    assert f"{path}: nowhere.places: expected at least 1 items" in problems
    for name in ("empty-place", "two-in-one"):
        assert any(
            line.startswith(f"{path}: {name}.places.0: give exactly one of mirror")
            for line in problems
        )
    assert any(line.startswith(f"{path}: text: expected a mapping") for line in problems)
    assert len(problems) == 6
    assert not any("\n" in line for line in problems)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text", "a: [1\n", "a: 1\na: 2\n"])
def test_a_registry_that_is_no_mapping_is_one_line(tmp_path, text):
    path, found, problems = load(tmp_path, text)
    assert (found, len(problems)) == ({}, 1)
    assert problems[0].startswith(str(path))


def test_a_missing_registry_is_one_line(tmp_path):
    found, [line] = sources.load(tmp_path / "none.yaml")
    assert found == {}
    assert "none.yaml" in line


def test_jcommonsenseqa_from_the_real_mirror(tmp_path, get):
    mirror = Path(os.environ.get("KENSHO_MIRROR") or ROOT.parent / "shared/data")
    wanted = sources.load(ROOT / "config/sources.yaml")[0]["jcommonsenseqa"]
    published = mirror / wanted.places[0].mirror
    if not published.is_file():
        pytest.skip(f"needs {published} (KENSHO_MIRROR)")
    record = get(wanted, mirror=mirror)
    write_json(tmp_path / "record.json", record)
    path, found = fetched(tmp_path / "record.json")
    assert found["licence_class"] == "by-sa"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1119
    assert {"question", "choice0", "choice4", "label"} <= set(yaml.safe_load(lines[0]))
