"""Sources against a real HTTP server on this machine: the hash decides, whatever a place says."""

import gzip
import hashlib
import io
import os
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from kensho.data import sources
from kensho.data.sources import Source, all_unreachable, fetch, fetched
from kensho.files import write_json

ROOT = Path(__file__).parents[2]
TEXT = "".join(f"{i}\t文その{i}です。\tSentence {i}.\n" for i in range(20_000)).encode()


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Files from memory, with ranges; gzip for those who take it, as large hosts do."""

    def do_GET(self):
        self.server.seen.append((self.command, self.path, self.headers.get("Range")))
        content = self.server.files.get(self.path)
        if content is None:
            return self.send_error(404)
        if content.startswith(b"redirect "):
            self.send_response(302)
            self.send_header("Location", content.decode().split()[1])
            return self.end_headers()
        start, wanted = 0, self.headers.get("Range")
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                return self.send_error(416)
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        body = (gzip.compress(content) if packed else content)[start:]
        self.send_response(206 if start else 200)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            cut = self.server.cut.pop(self.path, len(body))
            self.wfile.write(body[:cut])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.files, found.seen, found.cut, found.ranges = {"/a.tsv": TEXT}, [], {}, True
    found.url = f"http://127.0.0.1:{found.server_port}"
    monkeypatch.setenv("PIP_INDEX_URL", f"{found.url}/simple/")
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def source(*places, content=TEXT, **more):
    record = {
        "kind": "dataset",
        "file": "a.tsv",
        "sha256": digest(content),
        "bytes": len(content),
        "licence": "CC BY 4.0",
        "licence_class": "by",
        "revision": "1",
        "places": list(places),
    }
    return Source.model_validate(record | more)


@pytest.fixture
def get(tmp_path):
    """Fetch a source into tmp_path/out; returns its record."""

    def run(wanted, mirror=None):
        return fetch("a", wanted, tmp_path / "out", cache=tmp_path / "cache", mirror=mirror)

    return run


def cached(tmp_path, content=TEXT):
    return tmp_path / "cache" / digest(content)


def leftovers(tmp_path, content=TEXT):
    """Files in the cache beside the wanted one."""
    return sorted(p.name for p in (tmp_path / "cache").iterdir() if p.name != digest(content))


def refused(get, wanted, *, as_a=ValueError, **more):
    with pytest.raises(as_a, match="source a: no place has it") as error:
        get(wanted, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mirror(tmp_path, get):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/x.tsv").write_bytes(TEXT)
    wanted = source({"mirror": "x.tsv"}, attribution="someone")
    record = get(wanted, mirror=tmp_path / "mirror")
    assert Path(record["path"]).read_bytes() == TEXT
    assert record | {"path": None} == {
        "name": "a", "path": None, "kind": "dataset", "file": "a.tsv", "sha256": digest(TEXT),
        "bytes": len(TEXT), "licence": "CC BY 4.0", "licence_class": "by", "revision": "1",
        "attribution": "someone",
    }  # fmt: skip
    assert "no mirror is configured" in refused(get, source({"mirror": "y"}, content=b"other"))


def test_resources(tmp_path, get, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources/x.tsv").write_bytes(TEXT)
    record = get(source({"resources": "resources/x.tsv"}))
    assert Path(record["path"]).read_bytes() == TEXT


def test_installed_files_are_checked_where_they_are(tmp_path, get):
    place = {"installed": "pydantic/pydantic/version.py"}
    path = Path(metadata.distribution("pydantic").locate_file("pydantic/version.py"))
    assert get(source(place, content=path.read_bytes()))["path"] == str(path)
    assert "has sha256" in refused(get, source(place))
    said = refused(get, source({"installed": "no-such-thing/x"}, {"installed": "pydantic/nothing"}))
    assert "no-such-thing" in said
    assert "nothing is missing" in said


def test_https(tmp_path, get, server):
    record = get(source({"https": f"{server.url}/a.tsv"}))
    assert Path(record["path"]).read_bytes() == TEXT
    assert cached(tmp_path).read_bytes() == TEXT
    assert leftovers(tmp_path) == []


def test_hub(get, server):
    server.files["/org/name/resolve/abc123/data/a.tsv"] = TEXT
    assert get(source({"hf": "org/name@abc123/data/a.tsv"}))["path"]


def test_a_broken_download_resumes_where_it_stopped(tmp_path, get, server):
    wanted = source({"https": f"{server.url}/a.tsv"})
    server.cut["/a.tsv"] = 70_000
    assert "cannot reach" in refused(get, wanted, as_a=ConnectionError)  # which is tried again
    partial = cached(tmp_path).with_suffix(".part")
    have = partial.stat().st_size
    assert 0 < have <= 70_000
    assert Path(get(wanted)["path"]).read_bytes() == TEXT
    assert [seen[2] for seen in server.seen] == [None, f"bytes={have}-"]
    assert leftovers(tmp_path) == []


def test_a_server_without_ranges_sends_it_all_again(tmp_path, get, server):
    server.ranges = False
    cached(tmp_path).parent.mkdir()
    cached(tmp_path).with_suffix(".part").write_bytes(TEXT[:1000])
    assert Path(get(source({"https": f"{server.url}/a.tsv"}))["path"]).read_bytes() == TEXT


@pytest.mark.parametrize("partial", [TEXT, TEXT + b"x", b"error page", b"x" * 100_000])
def test_a_partial_file_that_is_whole_or_foreign_does_no_harm(tmp_path, get, server, partial):
    cached(tmp_path).parent.mkdir()
    cached(tmp_path).with_suffix(".part").write_bytes(partial)
    assert Path(get(source({"https": f"{server.url}/a.tsv"}))["path"]).read_bytes() == TEXT
    assert leftovers(tmp_path) == []


def test_a_wrong_hash_falls_to_the_next_place(tmp_path, get, server):
    server.files["/bad.tsv"] = TEXT.replace(b"7", b"8")
    (tmp_path / "a.tsv").write_bytes(b"other")
    bad = [{"mirror": "a.tsv"}, {"https": f"{server.url}/bad.tsv"}, {"hf": "o/n@1/none"}]
    record = get(source(*bad, {"https": f"{server.url}/a.tsv"}), mirror=tmp_path)
    assert Path(record["path"]).read_bytes() == TEXT
    assert leftovers(tmp_path) == []
    assert [path for _, path, _ in server.seen] == ["/bad.tsv", "/o/n/resolve/1/none", "/a.tsv"]


def test_a_broken_wrong_place_does_not_spoil_the_right_one(get, server):
    server.files["/bad.tsv"] = TEXT.replace(b"7", b"8")
    server.cut["/bad.tsv"] = 50_000
    places = [{"https": f"{server.url}/{name}"} for name in ("bad.tsv", "a.tsv")]
    assert Path(get(source(*places))["path"]).read_bytes() == TEXT


def test_all_places_that_failed_stand_in_one_line(get, server):
    server.files["/bad.tsv"] = b"other"
    said = refused(
        get,
        source(
            {"mirror": "x.tsv"},
            {"resources": "resources/none.tsv"},
            {"https": f"{server.url}/none.tsv"},
            {"https": f"{server.url}/bad.tsv"},
            {"hf": "org/name@1/a.tsv"},
            {"pypi": [pypi("demo-1.0.zip", b"")]},
            {"https": "http://127.0.0.1:1/x"},
        ),
        as_a=ConnectionError,
    )
    for words in (
        "mirror: no mirror is configured",
        "resources: resources/none.tsv is missing",
        f"https: HTTP 404 from {server.url}/none.tsv",
        f"https: {server.url}/bad.tsv has sha256 {digest(b'other')[:12]}…",
        f"hf: HTTP 404 from {server.url}/org/name/resolve/1/a.tsv",
        "pypi: HTTP 404",
        "https: cannot reach http://127.0.0.1:1/x",
        "set paths.mirror (or KENSHO_MIRROR)",
    ):
        assert words in said


def test_passwords_in_a_url_are_not_shown(get, server, monkeypatch):
    secret = server.url.replace("//", "//user:hunter2@")
    monkeypatch.setenv("PIP_INDEX_URL", f"{secret}/simple")
    server.files["/bad.tsv"] = b"other"
    places = [{"https": f"{secret}/{name}"} for name in ("none", "bad.tsv")]
    wanted = source(
        *places, {"pypi": [pypi("demo-1.0.zip", b"")]}, {"https": "http://u:hunter2@[/"}
    )
    assert "hunter2" not in refused(get, wanted)
    assert "hunter2" not in get(source(*places, optional=True))["reason"]


def test_an_optional_source_says_why_it_is_missing(tmp_path, get):
    record = get(source({"mirror": "x.tsv"}, optional=True))
    assert record["path"] is None
    assert record["reason"].startswith("source a: no place has it (mirror: no mirror")
    write_json(tmp_path / "record.json", record)
    assert fetched(tmp_path / "record.json") == (None, record)


def test_what_is_cached_needs_no_place(tmp_path, get, server):
    wanted = source({"https": f"{server.url}/a.tsv"})
    Path(get(wanted)["path"]).unlink()
    del server.files["/a.tsv"]
    assert Path(get(wanted)["path"]).read_bytes() == TEXT
    assert len(server.seen) == 1


def test_a_corrupted_cache_file_is_replaced(tmp_path, get, server):
    cached(tmp_path).parent.mkdir()
    cached(tmp_path).write_bytes(TEXT[:-1] + b"?")
    assert Path(get(source({"https": f"{server.url}/a.tsv"}))["path"]).read_bytes() == TEXT
    assert cached(tmp_path).read_bytes() == TEXT


# Members of distributions on a package index (PEP 503)


def wheel(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


def sdist(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                bundle.addfile(info)
            elif content is None:
                info.type = tarfile.DIRTYPE
                bundle.addfile(info)
            else:
                info.size = len(content)
                bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def pypi(file, archive, member="demo/a.tsv"):
    return {"package": "demo", "file": file, "sha256": digest(archive), "member": member}


def publish(server, **archives):
    """Put archives on the index of the package demo; a name's first _ stands for its hyphen."""
    anchors = ['<a href="../../files/demo-0.9.zip">demo-0.9.zip</a>']
    for name, content in archives.items():
        file = name.replace("_", ".").replace(".", "-", 1)
        server.files[f"/files/{file}"] = content
        anchors.append(
            f'<a rel="x" href="../../files/{file}#sha256={digest(content)}"\n'
            f' data-requires-python="&gt;=3.8">\n{file}\n</a><br/>'
        )
    page = "<!DOCTYPE html><html><body>" + "\n".join(anchors) + "</body></html>"
    server.files["/simple/demo/"] = page.encode()


def test_a_member_of_a_wheel(tmp_path, get, server):
    archive = wheel({"demo/a.tsv": TEXT, "demo/b.tsv": b"other"})
    publish(server, demo_1_0_whl=archive)
    record = get(source({"pypi": [pypi("demo-1.0.whl", archive)]}))
    assert Path(record["path"]).read_bytes() == TEXT
    assert leftovers(tmp_path) == []  # the archive is not kept beside what was taken from it


def test_a_member_of_a_source_archive(tmp_path, get, server):
    archive = sdist({"demo-1.0": None, "demo-1.0/res/SENTENCES": TEXT})
    publish(server, demo_1_0_tar_gz=archive)
    place = {"pypi": [pypi("demo-1.0.tar.gz", archive, "demo-1.0/res/SENTENCES")]}
    assert Path(get(source(place))["path"]).read_bytes() == TEXT
    assert leftovers(tmp_path) == []


def test_members_are_joined_in_their_order_also_of_one_archive(tmp_path, get, server):
    thirds = [TEXT[:10_000], TEXT[10_000:10_001], TEXT[10_001:]]
    first = wheel({"demo/part0": thirds[0], "demo/part2": thirds[2]})
    second = sdist({"demo/part1": thirds[1]})
    publish(server, demo_1_0_whl=first, demo_2_0_tar_gz=second)
    parts = [
        pypi("demo-1.0.whl", first, "demo/part0"),
        pypi("demo-2.0.tar.gz", second, "demo/part1"),
        pypi("demo-1.0.whl", first, "demo/part2"),
    ]
    assert Path(get(source({"pypi": parts}))["path"]).read_bytes() == TEXT
    assert leftovers(tmp_path) == []
    assert "has sha256" in refused(get, source({"pypi": parts[::-1]}, content=TEXT + b"x"))


def test_links_of_the_index_are_taken_from_where_it_was_found(get, server):
    archive = wheel({"demo/a.tsv": TEXT})
    publish(server, demo_1_0_whl=archive)
    server.files["/mirror/pypi/simple/demo/"] = server.files.pop("/simple/demo/")
    server.files["/mirror/pypi/files/demo-1.0.whl"] = server.files.pop("/files/demo-1.0.whl")
    server.files["/simple/demo/"] = b"redirect /mirror/pypi/simple/demo/"
    assert get(source({"pypi": [pypi("demo-1.0.whl", archive)]}))["path"]


@pytest.mark.parametrize(
    ("archive", "member", "words"),
    [
        (sdist({"demo/b": b"x"}), "demo/a.tsv", "demo/a.tsv"),
        (sdist({"demo": None}), "demo", "not a file"),
        (sdist({"demo/a.tsv": "/etc/passwd"}), "demo/a.tsv", "passwd"),
        (wheel({"demo/b": b"x"}), "demo/a.tsv", "demo/a.tsv"),
        (b"no archive", "demo/a.tsv", "pypi: "),
    ],
    ids=["no member", "folder", "link to the outside", "no member of a wheel", "no archive"],
)
def test_an_archive_that_lacks_the_member_is_one_more_place_that_failed(
    tmp_path, get, server, archive, member, words
):
    name = "demo_1_0_whl" if archive.startswith(b"PK") else "demo_1_0_tar_gz"
    publish(server, **{name: archive})
    file = "demo-1.0.whl" if archive.startswith(b"PK") else "demo-1.0.tar.gz"
    assert words in refused(get, source({"pypi": [pypi(file, archive, member)]}))
    assert leftovers(tmp_path) == [digest(archive)]  # what is whole is not fetched again
    archive_again = source(
        {"pypi": [pypi(file, archive, member)]}, {"https": f"{server.url}/a.tsv"}
    )
    assert Path(get(archive_again)["path"]).read_bytes() == TEXT


@pytest.mark.parametrize("member", ["../../../escaped.tsv", "/tmp/h/escaped.tsv", "a/../../e.tsv"])
@pytest.mark.parametrize("pack", [wheel, sdist])
def test_a_hostile_member_path_stays_in_the_folder(tmp_path, get, server, pack, member):
    archive = pack({member: TEXT, "../beside.tsv": b"x", "/tmp/h/beside.tsv": b"x"})
    name = "demo_1_0_whl" if pack is wheel else "demo_1_0_tar_gz"
    file = "demo-1.0.whl" if pack is wheel else "demo-1.0.tar.gz"
    publish(server, **{name: archive})
    before = set(tmp_path.parent.rglob("*"))
    record = get(source({"pypi": [pypi(file, archive, member)]}))
    assert Path(record["path"]).read_bytes() == TEXT
    new = {path for path in tmp_path.parent.rglob("*") if path.is_file()} - before
    assert new == {cached(tmp_path), tmp_path / "out/a.tsv"}
    assert not Path("/tmp/h").exists()


def test_a_tampered_distribution_is_refused(get, server):
    archive = wheel({"demo/a.tsv": TEXT})
    publish(server, demo_1_0_whl=wheel({"demo/a.tsv": TEXT, "x": b""}))
    assert "has sha256" in refused(get, source({"pypi": [pypi("demo-1.0.whl", archive)]}))
    absent = pypi("demo-3.0.whl", archive)
    assert "demo-3.0.whl is not in the index of demo" in refused(get, source({"pypi": [absent]}))


def test_a_corrupted_archive_in_the_cache_is_replaced(tmp_path, get, server):
    archive = wheel({"demo/a.tsv": TEXT})
    publish(server, demo_1_0_whl=archive)
    cached(tmp_path).parent.mkdir()
    cached(tmp_path, archive).write_bytes(archive[:-200])
    assert get(source({"pypi": [pypi("demo-1.0.whl", archive)]}))["path"]


# What is there, without fetching it


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
    lines = all_unreachable(given, cache=cache, mirror=tmp_path)
    assert [line.split(": no place can be reached")[0] for line in lines] == [
        "source gone", "source away", "source not installed"
    ]  # fmt: skip
    assert f"https: HTTP 404 from {server.url}/none; mirror: " in lines[0]
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
    mirror = ROOT.parent / "shared/data"
    wanted = sources.load(ROOT / "config/sources.yaml")[0]["jcommonsenseqa"]
    if not (mirror / wanted.places[0].mirror).is_file():
        pytest.skip(f"{mirror} does not hold JGLUE")
    record = get(wanted, mirror=mirror)
    write_json(tmp_path / "record.json", record)
    path, found = fetched(tmp_path / "record.json")
    assert found["licence_class"] == "by-sa"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1119
    assert {"question", "choice0", "choice4", "label"} <= set(yaml.safe_load(lines[0]))
