"""Rows of tables and published files; of what is bad, file and row in one line."""

import csv
import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kensho.data import readers
from kensho.data.corpora import Corpus
from kensho.data.readers import reading, rows, units
from kensho.data.rows import Fault, running_text

MIRROR = Path(os.environ.get("KENSHO_MIRROR", "/none"))
GOOD = {"text": "これはよい文です。"}


def how(longest=1000, **entry):
    corpus = Corpus.model_validate({"path": "x.jsonl", "licence_class": "permissive", **entry})
    return reading(corpus.model_dump(), corpus.form, longest)


def read(path, reading):
    each, counted = units(path, reading.form), {}
    return [row for unit in each for row in rows(unit, reading, path.name, counted)]


def lines(path, *each):
    path.write_bytes(b"".join(line + b"\n" for line in each))
    return path


def encoded(value, encoding="utf-8"):
    return json.dumps(value, ensure_ascii=False).encode(encoding)


BAD = {
    "mixed encodings": (encoded(GOOD, "cp932"), "not UTF-8 at byte"),
    "a long line": (encoded({"text": "長" * 5_000_000}), "15,000,012 bytes in one line"),
    "a null": (encoded({"text": None}), "'text' is null"),
    "a null byte": (b"\x00", "not JSON"),
    "a wrong field": (encoded({"body": "x"}), "no field 'text', there are body"),
    "a number": (encoded({"text": 5}), "'text' is no text but int"),
    "a list": (encoded(["x"]), "not a JSON object"),
    "half a line": (b'{"text": "x', "not JSON"),
    "deep nesting": (b"[" * 900, "not JSON"),
    "half a character": (b'{"text": "\\ud800"}', "half a character"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_one_fault_and_hides_no_other(tmp_path, kind):
    bad, reason = BAD[kind]
    path = lines(tmp_path / "x.jsonl", encoded(GOOD), bad, b"", encoded(GOOD))
    first, fault, last = read(path, how())
    assert (first.number, fault.number, last.number) == (1, 2, 4)
    assert first.text == last.text == GOOD["text"]
    assert isinstance(fault, Fault) and reason in fault.reason and "\n" not in fault.reason


def test_a_number_that_is_none_is_a_fault_and_one_that_is_missing_is_not(tmp_path):
    values = [1, None, "2.5", "NaN", "many", True, "-1e999"]
    path = lines(tmp_path / "x.jsonl", *(encoded({**GOOD, "score": v}) for v in values))
    found = read(path, how(fields={"text": "text", "numbers": ["score"]}))
    assert [row.numbers["score"] for row in found[:4]] == [1, None, 2.5, None]
    assert [row.reason for row in found[4:]] == [
        "'score' is no number but the text 'many'",
        "'score' is no number but bool",
        "'score' is infinite",
    ]


@pytest.mark.parametrize("block", [7, 64, 1 << 20])
def test_blocks_of_a_file_hold_each_line_once_with_its_number(tmp_path, monkeypatch, block):
    each = [encoded({"text": "文" * (n % 9)}) for n in range(50)]
    each[20] = b"x" * 3000
    path = lines(tmp_path / "x.jsonl", *each)
    monkeypatch.setattr(readers, "BLOCK", block)
    found = read(path, how())
    assert [row.number for row in found] == [*range(1, 51)]
    assert [row.number for row in found if isinstance(row, Fault)] == [21]


def test_csv_rows_are_named_by_their_lines(tmp_path):
    path = tmp_path / "x.csv"
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "score"])
        writer.writerows([["二行の\n文です。", 1], ["文です。", ""]])
    with open(path, "ab") as file:
        file.write("壊れた\n".encode("cp932") + "三,つ,で\n".encode() + b"x" * 3000 + b"\n,1\n")
        file.write("終わり。,2\n".encode())
    found = read(path, how(path="x.csv", fields={"text": "text", "numbers": ["score"]}))
    assert [row.number for row in found] == [2, 4, 5, 6, 7, 8, 9]
    assert [getattr(row, "text", None) for row in found] == [
        *("二行の\n文です。", "文です。", None, None, None, None, "終わり。")
    ]
    reasons = [row.reason for row in found if isinstance(row, Fault)]
    assert [reason[:14] for reason in reasons] == [
        *("not UTF-8 at b", "3 fields, the ", "3,000 bytes in", "'text' is null")
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("文,点\n猫。,1\n".encode("cp932"), "not UTF-8 at byte 1 of the line; save it as CSV in"),
        ("文,点\r猫。,1\r".encode(), r"not CSV \(new-line .*; save it as CSV in UTF-8"),
        (b"x" * 2000 + "\n猫。\n".encode(), "2,000 bytes in one line, more than 1,000; save it"),
        ("文,文\n猫。,犬。\n".encode(), "two fields '文'; rename one of them"),
        (b"", "no field '文', there are none; name its columns"),
    ],
)
def test_a_head_that_cannot_be_read_is_named_for_what_it_is(tmp_path, content, reason):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"x.csv: row 1: {reason}"):
        read(path, how(path="x.csv", fields={"text": "文"}))


def test_a_quote_that_never_ends_makes_no_text_of_the_rows_behind_it(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('n,text\n1,猫。\n2,"犬。\n3,鳥。\n', encoding="utf-8")
    found = read(path, how(path="x.csv"))
    assert [row.number for row in found] == [2, 3] and found[0].text == "猫。"
    assert found[1].reason == "not CSV (unexpected end of data)"


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path, row_group_size=10)
    return path


def test_row_groups_are_units_and_rows_count_through(tmp_path):
    path = parquet(tmp_path / "x.parquet", text=[f"文{n}" if n != 13 else None for n in range(25)])
    found = read(path, how(path="x.parquet"))
    assert len(units(path, "parquet")) == 3
    assert [row.number for row in found] == [*range(1, 26)]
    assert [row.number for row in found if isinstance(row, Fault)] == [14]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_without_the_field_is_refused_with_the_fields_that_it_has(tmp_path, form):
    path = tmp_path / f"x.{form}"
    if form == "csv":
        path.write_text("body,title\nx,y\n", encoding="utf-8")
    else:
        parquet(path, body=["x"], title=["y"])
    with pytest.raises(ValueError, match=f"^x.{form}: row 1: no field 'text', there are body"):
        read(path, how(path=f"x.{form}"))


@pytest.mark.parametrize("cut", [0, 20, 0.5, -4])
def test_a_cut_parquet_file_is_one_line_with_file_and_row(tmp_path, cut):
    path = parquet(tmp_path / "x.parquet", text=[f"文{n}" for n in range(500)])
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content)) if isinstance(cut, float) else cut])
    with pytest.raises(ValueError, match=r"x\.parquet: row 1: not a whole Parquet file") as refused:
        read(path, how(path="x.parquet"))
    assert "\n" not in str(refused.value)


def test_spoilt_pages_of_a_parquet_file_are_named_by_their_row(tmp_path):
    path = parquet(tmp_path / "x.parquet", text=[f"文{n}" * 9 for n in range(100)])
    begin = pq.ParquetFile(path).metadata.row_group(3).column(0).dictionary_page_offset
    content = bytearray(path.read_bytes())
    content[begin : begin + 60] = b"\xff" * 60
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"^x\.parquet: row 31: not readable") as refused:
        read(path, how(path="x.parquet"))
    assert "\n" not in str(refused.value)


def test_what_is_packed_is_read_and_a_cut_pack_is_named(tmp_path):
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + encoded(GOOD) + b"\n"))
    assert [row.text for row in read(path, how(path="x.jsonl.gz"))] == [GOOD["text"]]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"^x.jsonl.gz: cannot be unpacked .*; put the whole file"):
        read(path, how(path="x.jsonl.gz"))


def test_pairs_and_dialogues(tmp_path):
    whole, half = {"j": "犬。", "e": "A dog."}, {"j": "犬。"}
    path = lines(tmp_path / "x.jsonl", encoded(whole), encoded(half))
    pair, fault = read(path, how(fields={"ja": "j", "en": "e"}))
    assert (pair.ja, pair.en) == ("犬。", "A dog.") and fault.reason == "no field 'e', there are j"
    turns = [{"speaker": "A", "text": "元気？"}, {"speaker": "B", "text": "はい。"}]
    path = lines(tmp_path / "x.jsonl", encoded({"t": turns}), encoded({"t": [{"text": "x"}]}))
    dialogue, fault = read(path, how(fields={"turns": "t"}))
    assert running_text(dialogue) == "元気？\nはい。"
    assert fault.reason == "a turn of 't' has no speaker or no text"


def test_a_book_of_another_encoding_is_refused(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("題\n" * 9, encoding="utf-8")
    with pytest.raises(ValueError, match=r"book\.txt: not cp932 at byte"):
        read(path, how(path="book.txt", format="aozora"))


OF_THE_MIRROR = {
    "aozora": ("aozora/cards/000148/files/56143_ruby_50824/56143_ruby_50824.txt", 100),
    "livedoor": ("livedoor-news/livedoor-news-subset.tar.gz", 360),
    "wikipedia-annotated": ("wikipedia-annotated-corpus/org.tar.gz", 3979),
    "real-persona-chat": ("real-persona-chat/dialogues-00001-00500.tar.gz", 500),
}


@pytest.mark.parametrize("form", OF_THE_MIRROR)
def test_a_published_file_is_read_whole(form):
    path, least = MIRROR / OF_THE_MIRROR[form][0], OF_THE_MIRROR[form][1]
    if not path.is_file():
        pytest.skip(f"needs {path} (KENSHO_MIRROR)")
    found = read(path, how(path="x", format=form))
    assert len(found) >= least and not [row for row in found if isinstance(row, Fault)]
    assert all(running_text(row) for row in found)
    text = "".join(map(running_text, found))
    marks = {"aozora": ("《", "［＃", "底本："), "wikipedia-annotated": ("# S-ID",)}
    assert not [mark for mark in marks.get(form, ()) if mark in text]
