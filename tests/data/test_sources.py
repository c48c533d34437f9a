"""Sources against a real HTTP server on this machine: the hash decides, whatever a place says."""

import errno
import fcntl
import gzip
import hashlib
import io
import json
import os
import random
import re
import subprocess
import sys
import tarfile
import threading
import time
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
        if self.path in self.server.busy:
            self.send_response(503)
            self.send_header("Retry-After", self.server.busy[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if content is None:
            return self.send_error(404)
        if content.startswith(b"redirect "):
            self.send_response(302)
            self.send_header("Location", content.decode("latin-1").split()[1])
            return self.end_headers()
        start, wanted = 0, self.headers.get("Range")
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                return self.send_error(416)
            if self.server.answers_ranges_with_all:
                start = 0
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        body = (gzip.compress(content) if packed else content)[start:]
        self.send_response(206 if wanted and self.server.ranges else 200)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        if self.path in self.server.types:
            self.send_header("Content-Type", self.server.types[self.path])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            cut = self.server.cut.pop(self.path, len(body))
            for start in range(0, cut, 1 << 16):
                self.wfile.write(body[start : min(cut, start + (1 << 16))])
                time.sleep(self.server.pause)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.files, found.seen, found.cut, found.ranges = {"/a.tsv": TEXT}, [], {}, True
    found.pause, found.types, found.busy, found.answers_ranges_with_all = 0, {}, {}, False
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
    held = {path.name for path in (tmp_path / "cache").iterdir()}
    return sorted(held - {digest(content), "locks"})


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
        "attribution": "someone", "place": "mirror",
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
    record = get(source(place, content=path.read_bytes()))
    assert record["path"] == place["installed"]  # wherever packages are installed
    write_json(tmp_path / "record.json", record)
    assert fetched(tmp_path / "record.json") == (path, record)
    for gone in ("pydantic/nothing", "no-such-thing/x"):
        write_json(tmp_path / "record.json", record | {"path": gone})
        with pytest.raises(ValueError, match=r"record\.json to fetch it again"):
            fetched(tmp_path / "record.json")
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
    (partial,) = (tmp_path / "cache").glob(f"{digest(TEXT)}.*.part")
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
        f"https: HTTP 404 from {server.url};",
        f"https: {server.url} has sha256 {digest(b'other')[:12]}…",
        f"hf: HTTP 404 from {server.url};",
        "pypi: HTTP 404",
        "https: cannot reach http://127.0.0.1:1)",
        "set paths.mirror (or KENSHO_MIRROR)",
    ):
        assert words in said


@pytest.mark.parametrize(
    "address",
    [
        "http://user:TOKEN@{host}/simple",
        "http://user:p@TOKEN@{host}/simple",
        "http://{host}/TOKEN/simple",
        "http://{host}/simple?token=TOKEN",
        "http://{host}/TOKEN?X-Sig=TOKEN#TOKEN",
        "http://u:TOKEN@[/",
        "http://u:TOKEN＠{host}/simple",
        "http://u：TOKEN@{host}/simple",
    ],
)
def test_nothing_of_an_address_but_its_host_is_shown(get, server, monkeypatch, tmp_path, address):
    (tmp_path / "netrc").write_text("machine other login someone password other")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))  # for its sake the address is read again
    secret = address.format(host=server.url.removeprefix("http://"))
    monkeypatch.setenv("PIP_INDEX_URL", secret)
    server.files["/signed"] = f"redirect {server.url}/gone?sig=TOKEN".encode()
    server.files["/bad"] = b"other"
    server.files["/odd"] = "redirect http://u：TOKEN@x/".encode()
    places = [
        {"https": secret},
        {"https": f"{server.url}/signed"},
        {"https": f"{server.url}/odd"},
        {"https": f"{server.url}/bad?TOKEN"},
        {"pypi": [pypi("demo-1.0.zip", b"")]},
        {"mirror": "none.tsv"},
    ]
    mirror = tmp_path / "TOKEN"
    with pytest.raises((ValueError, ConnectionError)) as caught:
        get(source(*places), mirror=mirror)
    reason = get(source(*places, optional=True), mirror=mirror)["reason"]
    for line in (str(caught.value), reason):
        assert "TOKEN" not in line and "none.tsv is missing" in line


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../escaped"},
        {"file": "/tmp/escaped"},
        {"file": "a/b.tsv"},
        {"file": ".hidden"},
        {"places": [{"mirror": "../x.tsv"}]},
        {"places": [{"mirror": "/etc/hostname"}]},
        {"places": [{"resources": "a/../../x"}]},
    ],
)
def test_an_entry_that_leaves_its_folder_is_refused(change):
    entry = source({"mirror": "x.tsv"}).model_dump(exclude_none=True)
    with pytest.raises(ValueError, match=r"should match pattern|leaves its folder"):
        Source.model_validate({**entry, **change})


def test_a_place_that_sends_too_much_is_left(tmp_path, get, server):
    server.files["/endless.tsv"] = TEXT + b"x" * 200_000
    places = [{"https": f"{server.url}/{name}"} for name in ("endless.tsv", "a.tsv")]
    assert Path(get(source(*places))["path"]).read_bytes() == TEXT
    assert f"sends more than the {len(TEXT):,} bytes" in refused(
        get, source(places[0], sha256="0" * 64)
    )
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["{}.part", ".{}.{}"])
def test_a_link_in_a_shared_cache_is_not_followed(tmp_path, get, server, name):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    cached(tmp_path).parent.mkdir()
    (tmp_path / "cache" / name.format(digest(TEXT), os.getpid())).symlink_to(victim)
    (tmp_path / "x.tsv").write_bytes(TEXT)
    wanted = source({"mirror": "x.tsv"})
    if name.endswith("part"):
        wanted = source({"https": f"{server.url}/a.tsv"})
    assert Path(get(wanted, mirror=tmp_path)["path"]).read_bytes() == TEXT
    assert victim.read_bytes() == b"precious"


def test_a_place_that_stays_busy_is_left_in_minutes_and_may_be_tried_again(
    get, server, monkeypatch
):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.busy["/busy"] = "86400"
    places = [{"https": f"{server.url}/{name}"} for name in ("busy", "a.tsv")]
    said = refused(get, source(places[0]), as_a=ConnectionError)
    assert f"HTTP 503 from {server.url}" in said and 0 < sum(waits) <= 300
    assert Path(get(source(*places))["path"]).read_bytes() == TEXT


def test_what_cannot_be_resumed_here_is_sent_whole(tmp_path, get, server):
    server.answers_ranges_with_all = True
    cached(tmp_path).parent.mkdir()
    cached(tmp_path).with_suffix(".part").write_bytes(TEXT[:1000])
    assert Path(get(source({"https": f"{server.url}/a.tsv"}))["path"]).read_bytes() == TEXT
    assert leftovers(tmp_path) == []


def test_a_part_with_the_hash_of_the_whole_is_refused():
    with pytest.raises(ValueError, match="a part has the sha256 of the whole; give"):
        source({"pypi": [pypi("demo-1.0.zip", TEXT)]})


def test_a_cache_that_takes_no_lock_is_named_and_nothing_fetched(
    tmp_path, get, server, monkeypatch
):
    wanted = source({"https": f"{server.url}/a.tsv"})
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ValueError, match=r"cannot be locked \(Not a directory\); set paths"):
        get(wanted)
    (tmp_path / "cache").unlink()

    def flock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)  # as Lustre does without its option
    with pytest.raises(ValueError, match=r"cannot be locked \(Function not implemented\); set p"):
        get(wanted)
    assert server.seen == []


def test_a_project_that_writes_into_its_copy_spoils_no_other(tmp_path, server):
    wanted, given = source({"https": f"{server.url}/a.tsv"}), {"cache": tmp_path / "cache"}
    first, second = (fetch("a", wanted, tmp_path / n, mirror=None, **given) for n in ("1", "2"))
    with open(first["path"], "r+b") as file:
        file.write(b"X")
    assert Path(second["path"]).read_bytes() == cached(tmp_path).read_bytes() == TEXT
    write_json(tmp_path / "record.json", first)
    with pytest.raises(ValueError, match="changed since it was fetched; delete"):
        fetched(tmp_path / "record.json")


FETCHING = """
import sys
from pathlib import Path
from kensho.data.sources import Source, fetch
root = Path(sys.argv[1])
wanted = Source.model_validate_json((root / "source.json").read_text())
fetch("a", wanted, root / sys.argv[2], cache=root / "cache", mirror=None)
"""


@pytest.mark.parametrize("processes", [2, 8])
def test_processes_that_fetch_at_once_and_are_killed_leave_one_right_file(
    tmp_path, server, processes
):
    server.pause = 0.002  # for each piece, so that they overlap
    wanted = source({"https": f"{server.url}/a.tsv"})
    (tmp_path / "source.json").write_text(wanted.model_dump_json(exclude_none=True))
    rng = random.Random(processes)
    command = [sys.executable, "-c", FETCHING, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    running = []
    for number in range(processes):
        running.append(subprocess.Popen([*command, f"out{number}"], env=environment))
        time.sleep(rng.uniform(0, 0.3))
    for victim in rng.sample(running, processes // 2):
        time.sleep(rng.uniform(0, 1))
        victim.kill()
    codes = [process.wait(timeout=120) for process in running]
    assert codes.count(0) >= processes - processes // 2
    assert cached(tmp_path).read_bytes() == TEXT
    for number, code in enumerate(codes):
        path = tmp_path / f"out{number}" / "a.tsv"
        assert path.read_bytes() == TEXT if code == 0 or path.exists() else True


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


@pytest.mark.parametrize("form", ["json", "entities", "single quotes"])
def test_an_index_is_read_in_each_form(get, server, form):
    archive = wheel({"demo/a.tsv": TEXT})
    server.files["/files/demo.whl?a=1&b=2"] = archive
    link = "../../files/demo.whl?a=1&b=2#sha256=0"
    if form == "json":
        entry = {"filename": "demo-1.0.whl", "url": link, "size": len(archive), "hashes": {}}
        server.files["/simple/demo/"] = json.dumps({"files": [entry]}).encode()
        server.types["/simple/demo/"] = "application/vnd.pypi.simple.v1+json"
    else:
        quote = "'" if form == "single quotes" else '"'
        href = f"{quote}{link.replace('&', '&amp;')}{quote}"
        server.files["/simple/demo/"] = f"<a href={href}>demo-1.0.whl</a>".encode()
    record = get(source({"pypi": [pypi("demo-1.0.whl", archive)]}))
    assert Path(record["path"]).read_bytes() == TEXT


@pytest.mark.parametrize(
    "page",
    [
        "[]",
        '{"files": null}',
        '{"files": [1]}',
        '{"files": [{"filename": "demo-1.0.whl"}]}',
        "[" * 100_000,
        "{",
    ],
    ids=range(6),
)
def test_an_index_that_sends_something_else_is_one_more_place_that_failed(get, server, page):
    server.files["/simple/demo/"] = page.encode()
    server.types["/simple/demo/"] = "application/vnd.pypi.simple.v1+json"
    places = [{"pypi": [pypi("demo-1.0.whl", b"x")]}, {"https": f"{server.url}/none.tsv"}]
    said = refused(get, source(*places))
    assert f"(pypi: {server.url} sends no list of files for demo; https: HTTP 404" in said


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
        (sdist({"demo/a.tsv": random.Random(1).randbytes(9000)})[:5000], "demo/a.tsv", "ended"),
        (sdist({"demo/a.tsv": "a.tsv"}), "demo/a.tsv", "recursion"),
        (wheel({"demo/a.tsv": TEXT}).replace(b"\x14\0\0\0", b"\x14\0\1\0"), "demo/a.tsv", "encr"),
    ],
    ids=[
        "no member",
        "folder",
        "link to the outside",
        "no member of a wheel",
        "no archive",
        "cut",
        "link to itself",
        "encrypted",
    ],
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
    locks = {path for path in new if path.parent == tmp_path / "cache/locks"}
    assert new - locks == {cached(tmp_path), tmp_path / "out/a.tsv"}
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
