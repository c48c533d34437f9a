"""Sources against a real HTTP server on this machine: the hash decides, whatever a place says."""

import errno
import fcntl
import os
import random
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
from kensho.data.sources import Source, fetch, fetched
from kensho.files import write_json
from source_server import TEXT, cached, digest, leftovers, pypi, refused, source

ROOT = Path(__file__).parents[2]


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
