"""Rows of tables and published files; of what is bad, file and row in one line."""

import csv
import gzip
import io
import json
import lzma
import os
import random
import tarfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kensho.data import readers
from kensho.data.corpora import Corpus
from kensho.data.readers import rows, units
from kensho.data.records import reading
from kensho.data.rows import Fault, Row, running_text

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


GOOD_LINES = [f"これは{number}番目の文です。" for number in range(50)]


@pytest.mark.parametrize(
    ("spoilt", "number", "reason"),
    [
        ('"二つ目。\n'.encode(), 3, "not CSV (unexpected end of data)"),
        ('"二つ\n'.encode() + b'\xff\xfe"\n', 4, "not UTF-8 at byte 1 of the line"),
        ('"二つ\n'.encode() + b"x" * 2000 + b'"\n', 4, "2,001 bytes in one line, more than 1,000"),
    ],
)
def test_a_quote_that_never_ends_costs_its_row_alone(tmp_path, spoilt, number, reason):
    path = tmp_path / "x.csv"
    path.write_bytes("text\n一つ目。\n".encode() + spoilt + "\n".join(GOOD_LINES).encode())
    first, fault, *others = read(path, how(path="x.csv"))
    assert first.text == "一つ目。" and [row.text for row in others] == GOOD_LINES
    assert fault == Fault(number, reason) and others[0].number == number + 1


def test_rows_behind_a_stray_quote_are_read_by_its_next_one_too(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('n,text\n1,"犬。\n2,鳥。\n3,"猫\nと。"\n4,牛。\n', encoding="utf-8")
    found = read(path, how(path="x.csv"))
    assert [(row.number, getattr(row, "text", None)) for row in found] == [
        *((2, None), (3, "鳥。"), (4, "猫\nと。"), (6, "牛。"))
    ]


def test_a_mark_before_a_quoted_head_is_no_part_of_it(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('"text","n"\n"犬。","1"\n', encoding="utf-8-sig")
    assert [row.text for row in read(path, how(path="x.csv"))] == ["犬。"]


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
    pair, fault = read(path, how(fields={"ja": "j", "en": "e"}, language="ja-en"))
    assert (pair.ja, pair.en) == ("犬。", "A dog.") and fault.reason == "no field 'e', there are j"
    turns = [{"speaker": "A", "text": "元気？"}, {"speaker": "B", "text": "はい。"}]
    path = lines(tmp_path / "x.jsonl", encoded({"t": turns}), encoded({"t": [{"text": "x"}]}))
    dialogue, fault = read(path, how(fields={"turns": "t"}))
    assert running_text(dialogue) == "元気？\nはい。"
    assert fault.reason == "a turn of 't' has no speaker or no text"


@pytest.mark.parametrize("side", [{"ja": " ", "en": "A dog."}, {"ja": "犬。", "en": ""}])
def test_a_pair_without_a_side_is_a_fault(tmp_path, side):
    path = lines(tmp_path / "x.jsonl", encoded(side))
    [fault] = read(path, how(fields={"ja": "ja", "en": "en"}, language="ja-en"))
    assert fault.reason == f"no {'English' if side['ja'].strip() else 'Japanese'} side"


@pytest.mark.parametrize("fields", [{"document": "ident"}, {"numbers": ["ident"]}])
def test_a_key_that_no_row_of_a_file_has_is_refused(tmp_path, monkeypatch, fields):
    each = [encoded({**GOOD, "id": 1})] * 20
    path = lines(tmp_path / "x.jsonl", *each)
    with pytest.raises(ValueError, match=r"x\.jsonl: row 1: no field 'ident', there are text, id;"):
        read(path, how(fields=fields))
    monkeypatch.setattr(readers, "BLOCK", 64)
    path = lines(tmp_path / "y.jsonl", *each, encoded({**GOOD, "ident": 2}))
    assert len(read(path, how(fields=fields))) == 21  # one row has it: it is optional


def test_a_document_has_a_name(tmp_path):
    names = ["a", 7, {"a": [1]}, True, 1.5]
    path = lines(tmp_path / "x.jsonl", *(encoded({**GOOD, "id": name}) for name in names))
    found = read(path, how(fields={"document": "id"}))
    assert [row.document for row in found[:2]] == ["a", "7"]
    assert found[2].reason == "'id' is no name of a document but dict"
    assert all(isinstance(row, Fault) for row in found[2:])


HALF = "\\ud800"
BROKEN = {
    "a turn": '{"turns": [{"speaker": "A", "text": "H"}]}',
    "a document": '{"text": "x", "id": "H"}',
    "a number": '{"text": "x", "id": "a", "n": "H"}',
    "a key": '{"H": "x", "id": "a", "n": 1}',
}


@pytest.mark.parametrize("place", BROKEN)
def test_half_a_character_anywhere_is_a_fault(tmp_path, place):
    path = lines(tmp_path / "x.jsonl", BROKEN[place].replace("H", HALF).encode())
    fields = {"turns": "turns"} if place == "a turn" else {"document": "id"}
    numbers = ["n"] if place in ("a number", "a key") else []
    [fault] = read(path, how(fields={**fields, "numbers": numbers}))
    assert isinstance(fault, Fault) and fault.reason.encode(errors="replace")


def test_turns_are_no_longer_than_a_row(tmp_path):
    turn = {"speaker": "A", "text": "あ" * 600}
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"turns": [[turn], [turn, turn]]}), path)
    whole, fault = read(path, how(path="x.parquet", fields={"turns": "turns"}))
    assert running_text(whole) == turn["text"]
    assert fault.reason == "1,200 characters in 'turns', more than 1,000 bytes"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_pack_that_is_spoilt_inside_is_named(tmp_path, pack):
    rng = random.Random(1)
    whole = bytearray(
        pack(b"".join(encoded({"text": str(rng.random())}) + b"\n" for _ in range(9999)))
    )
    path = tmp_path / ("x.jsonl.gz" if pack is gzip.compress else "x.jsonl.xz")
    for place in range(100, len(whole) - 100, len(whole) // 9):
        path.write_bytes(bytes(whole[:place]) + b"\xff" * 8 + bytes(whole[place + 8 :]))
        with pytest.raises(ValueError, match=r"x.jsonl.* cannot be unpacked|^$") as refused:
            assert not all(isinstance(row, Row) for row in read(path, how(path=path.name)))
            raise ValueError("")  # faults alone: the spoilt bytes are text
        assert "\n" not in str(refused.value)


def test_a_value_that_is_none_of_its_column_costs_its_row_alone(tmp_path):
    spoilt = pa.StringArray.from_buffers(
        1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe")
    )
    texts = pa.concat_arrays([pa.array(["一"]), spoilt, pa.array(["三", "四"])])
    days = pa.array([0, 1, 2**31 - 1, None], pa.int32()).cast(pa.date32())
    scores = pa.array([Decimal("1.5"), None, None, None])
    path = parquet(tmp_path / "x.parquet", text=texts, day=days, score=scores)
    fields = {"document": "day", "numbers": ["score"]}
    first, second, third, last = read(path, how(path="x.parquet", fields=fields))
    assert (first.document, first.numbers["score"], last.text) == ("1970-01-01", 1.5, "四")
    assert second == Fault(2, "'text' is not UTF-8 at byte 1")
    assert third == Fault(3, "'day' is out of the range of its kind (date32[day])")


def test_pairs_of_tatoeba_are_named_by_their_lines(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_bytes("1\t犬。\tA dog.\tx\n\n2\t猫。\n3\t鳥。\t-\n".encode() + b"4\t\xff\tx\n")
    pair, *faults = read(path, how(path="x.tsv", format="tatoeba", language="ja-en"))
    assert (pair.number, pair.document, pair.ja, pair.en) == (1, "1", "犬。", "A dog.")
    reasons = "no English side", "no English side", "not UTF-8 at byte 3 of the line"
    assert faults == [Fault(n, reason) for n, reason in zip((3, 4, 5), reasons, strict=True)]


def archive(path, **contents):
    with tarfile.open(path, "w:gz") as file:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"{name}.json")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def test_a_dialogue_that_is_none_is_a_fault(tmp_path):
    said = {"interlocutor_id": "A", "text": "はい。"}
    bad = [[{**said, "text": None}], [], [{**said, "interlocutor_id": 5}]]
    each = [encoded({"dialogue_id": 1, "utterances": turns}) for turns in [[said], *bad]]
    path = archive(tmp_path / "x.tar.gz", **{f"d{n}": content for n, content in enumerate(each)})
    whole, *faults = read(path, how(path="x.tar.gz", format="real-persona-chat"))
    assert running_text(whole) == "はい。" and [row.number for row in faults] == [2, 3, 4]
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"x\.tar\.gz: not a whole archive .*anew$") as refused:
        read(path, how(path="x.tar.gz", format="real-persona-chat"))
    assert "\n" not in str(refused.value)


def test_a_character_by_its_note_is_written(tmp_path):
    notes = ["「てへん＋虜」、第3水準1-85-1", "「口＋亞」、U+555E", "第4水準2-1-1", "名も知らぬ字"]
    path = tmp_path / "book.txt"
    path.write_bytes("".join(f"※［＃{note}］が" for note in notes).encode("cp932"))
    [row] = read(path, how(path="book.txt", format="aozora"))
    assert row.text == "\u64c4が\u555eが\U00020089が〓が"


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
