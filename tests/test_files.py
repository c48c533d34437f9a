import hashlib
import json
import os

import pytest
from kensho.files import read_json, replacing, sha256, write_json


def test_sha256_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * 5000)
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_replacing_makes_folders_and_shows_nothing_before_the_end(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["a.txt"]


def test_an_exception_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_replaced_file_is_a_new_one(tmp_path):
    path, link = tmp_path / "a.txt", tmp_path / "link"
    path.write_text("old")
    os.link(path, link)  # as a fetched file is linked to the cache
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), link.read_text()) == ("new", "old")


def test_a_block_that_writes_nothing_fails_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_json_round_trip_keeps_japanese_readable(tmp_path):
    path, value = tmp_path / "a.json", {"検証": [1, None, 0.1, "あ"]}
    write_json(path, value)
    assert "検証" in path.read_text(encoding="utf-8")
    assert read_json(path) == value


@pytest.mark.parametrize("value", [{"x": float("nan")}, {"x": float("inf")}, {"x": {1, 2}}])
def test_json_that_cannot_be_read_elsewhere_is_refused(tmp_path, value):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(path, value)
    assert json.loads(path.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("content", ["", '{"a": 1', "[1, 2]", "null", b"\xff\xfe\x00"])
def test_json_that_is_no_object_is_named_in_one_line(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="delete it and run again") as error:
        read_json(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_missing_json_file_is_a_value_error_with_its_name(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.json"):
        read_json(tmp_path / "gone.json")
