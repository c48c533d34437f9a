"""What is wrong with a table is one line with file and line, and nothing of it is printed raw."""

import gzip
import json
import re
from pathlib import Path
from random import Random

import pandas as pd
import pytest
from brought import BASE, SCORES, TUNED, WINS, lines, log, logs, observe, put, values
from kensho import observations
from kensho.stats import units
from test_suites import QUIZ

CSV = {"path": "scores.csv", "format": "csv"}


def csv(text, **more):
    put("scores.csv", text)
    return [{**CSV, **more}]


def jsonl(entries, **more):
    put("scores.jsonl", entries if isinstance(entries, str | bytes) else lines(entries))
    return [{"path": "scores.jsonl", "format": "jsonl", **more}]


def pairwise(text, **more):
    put("wins.csv", text)
    return [{"path": "wins.csv", "format": "pairwise", "arm": "tuned", **more}]


def harness(base, tuned, **more):
    put(BASE, base)
    put(TUNED, tuned)
    return logs(**more)


def folder():
    Path("scores.csv").mkdir()
    return [CSV]


ROWS = [{"arm": arm, "item": "a", "score": 1.0} for arm in ("base", "tuned")]
GOOD = log([1.0, 0.0])
DEEP = '{"arm": "base", "item": "a", "score": ' + "[" * 100_000 + "\n"
BAD = {
    "missing file": (lambda: [{"path": "no.csv", "format": "csv"}], r"no\.csv: missing; put it"),
    "a folder": (folder, r"scores\.csv: is a folder; name the file in it"),
    "empty file": (lambda: csv(""), r"scores\.csv: holds no result"),
    "header only": (lambda: csv("arm,item,score\n"), r"scores\.csv: holds no result"),
    "empty log": (lambda: harness(GOOD, "\n"), f"{TUNED}: holds no result"),
    "empty JSON lines": (lambda: jsonl(""), r"scores\.jsonl: holds no result"),
    "missing column": (
        lambda: csv(SCORES.replace("score", "scores")),
        r"scores\.csv, line 1: no column 'score', did you mean 'scores'\? known: scores, ",
    ),
    "doubled column": (
        lambda: csv(SCORES.replace("item", "arm")),
        r"scores\.csv, line 1: column 'arm' stands there twice",
    ),
    "missing arm": (
        lambda: csv(SCORES.replace("tuned", "tuend")),
        r"scores\.csv: no row of the arm 'tuned', did you mean 'tuend'\? known: tuend, base",
    ),
    "text for a number": (
        lambda: csv(SCORES.replace("4.5", "good")),
        r"scores\.csv, line 5: score is 'good', not a finite number",
    ),
    "NaN": (lambda: csv(SCORES.replace("4.5", "NaN")), r"scores\.csv, line 5: score is 'NaN'"),
    "blank": (lambda: csv(SCORES.replace("4.5", "")), r"scores\.csv, line 5: no score of 'b'"),
    "thousands": (lambda: csv(SCORES.replace("4.5", '"4,500"')), r"scores\.csv, line 5: score is"),
    "decimal comma": (
        lambda: csv(SCORES.replace("4.5", '"4,5"')),
        r"scores\.csv, line 5: score is '4,5', not a finite number; if .* say decimal: ','",
    ),
    "decimal point among commas": (
        lambda: csv(SCORES, decimal=","),
        r"scores\.csv, line 5: score is '4.5', not a finite number with a decimal comma",
    ),
    "a truth value": (
        lambda: csv(SCORES.replace("4.5", "True")),
        r"scores\.csv, line 5: score is 'True', not a finite number; write 1 or 0",
    ),
    "percent": (
        lambda: csv(SCORES.replace("4.5", "85%")),
        r"scores\.csv, line 5: score is '85%', not a finite number; write it without %",
    ),
    "full-width percent": (
        lambda: csv(SCORES.replace("4.5", "８５％")),
        r"scores\.csv, line 5: score is '８５％', not a finite number; write it without %",
    ),
    "full-width figures": (
        lambda: csv(SCORES.replace("4.5", "１０．1")),
        r"scores\.csv, line 5: score is '１０．1', .*; write it in half-width figures",
    ),
    "a column for each arm": (
        lambda: csv("item,base,tuned\na,1,2\n", arm="base"),
        r"scores\.csv, line 1: no column 'score', .*; if each arm has .* say layout: wide",
    ),
    "short row": (lambda: csv(SCORES + "tuned,c\n"), r"scores\.csv, line 6: not 3 cells"),
    "long row": (lambda: csv(SCORES + "tuned,c,1,2\n"), r"scores\.csv, line 6: not 3 cells"),
    "open quote": (
        lambda: csv(SCORES + 'tuned,"c,1\n\n'),
        r"scores\.csv, line 6: a quote is opened here that nothing closes",
    ),
    "open quote in the header": (
        lambda: csv('arm,item,"score\nbase,a,1\n'),
        r"scores\.csv, line 1: a quote is opened here that nothing closes",
    ),
    "open quote of many lines": (
        lambda: csv(SCORES + 'tuned,"c\n' + "x,y,1\n" * 50_000),
        r"scores\.csv, line 6: a quote is opened here that nothing closes",
    ),
    "text after a quote": (
        lambda: csv(SCORES + '"b"x,c,1\n'),
        r"scores\.csv, line 6: ',' expected",
    ),
    "repeated item": (
        lambda: csv(SCORES + "tuned,b,4\n"),
        r"scores\.csv, line 6: item 'b' of 'tuned' stands there twice, first in .*, line 5",
    ),
    "unpaired item": (
        lambda: csv(SCORES + "tuned,c,4\n"),
        r"scores\.csv, line 6: item 'c' of 'tuned' has no score in 'base' \(1 such",
    ),
    "item of two lines": (
        lambda: csv('arm,item,score\nbase,"a\nb",1\ntuned,"a\nb",x\n'),
        r"scores\.csv, line 4: score is 'x'",
    ),
    "replicate": (
        lambda: csv("arm,item,score,replicate\nbase,a,1,x\n"),
        r"scores\.csv, line 2: replicate 'x' is not a whole number",
    ),
    "not JSON": (lambda: harness(GOOD, GOOD + "{\n"), f"{TUNED}, line 3: not a JSON object"),
    "a list in a line": (
        lambda: harness(GOOD, GOOD + "[1]\n"),
        f"{TUNED}, line 3: not a JSON object",
    ),
    "deep nesting": (lambda: jsonl(DEEP), r"scores\.jsonl, line 1: not a JSON object"),
    "a number of 5,000 digits": (
        lambda: jsonl('{"score": ' + "1" * 5000 + "}\n"),
        r"scores\.jsonl, line 1: not a JSON object",
    ),
    "a JSON list that was cut": (
        lambda: jsonl(json.dumps(ROWS, indent=1)[:-20]),
        r"scores\.jsonl, line 9: not JSON \(.*\); was it cut short\?",
    ),
    "no such key": (
        lambda: jsonl(ROWS, score="scor"),
        r"scores\.jsonl, line 1: no scor, did you mean 'score'\? known: score, ",
    ),
    "no such key inside": (
        lambda: jsonl([{**ROWS[0], "score": {"points": 1}}], score="score.point"),
        r"scores\.jsonl, line 1: no score\.point",
    ),
    "NaN in JSON": (
        lambda: jsonl('{"arm": "base", "item": "a", "score": NaN}\n'),
        r"scores\.jsonl, line 1: score is 'nan', not a finite number",
    ),
    "Infinity in JSON": (
        lambda: jsonl('{"arm": "base", "item": "a", "score": -Infinity}\n'),
        r"scores\.jsonl, line 1: score is '-inf', not a finite number",
    ),
    "a number past all bounds": (
        lambda: jsonl('{"arm": "base", "item": "a", "score": 1e999}\n'),
        r"scores\.jsonl, line 1: score is 'inf', not a finite number",
    ),
    "null in JSON": (
        lambda: jsonl([*ROWS, {"arm": "base", "item": "b", "score": None}]),
        r"scores\.jsonl, line 3: no score of 'b'",
    ),
    "an item that is a list": (
        lambda: jsonl([{"arm": "base", "item": [1], "score": 1}]),
        r"scores\.jsonl, line 1: block is \[1\], not a name",
    ),
    "no such metric": (
        lambda: harness(GOOD, GOOD, metric="accc"),
        f"{BASE}, line 1: no accc, did you mean 'acc'\\? known: acc, acc_norm",
    ),
    "no metric chosen": (
        lambda: harness(GOOD, GOOD, metric=None),
        f"{BASE}, line 1: holds the metrics acc, acc_norm; choose one",
    ),
    "metric that is a list": (
        lambda: harness(GOOD, log([[1, 2], 0.0])),
        rf"{TUNED}, line 1: acc is '\[1, 2\]', not a finite number",
    ),
    "NaN in a log": (lambda: harness(GOOD, log([1.0, float("nan")])), f"{TUNED}, line 2: acc is"),
    "no such cluster": (
        lambda: harness(GOOD, GOOD, cluster="pasage"),
        f"{BASE}, line 1: no pasage, did you mean 'passage'",
    ),
    "third arm": (
        lambda: pairwise(WINS + "p3,tuned,gpt,else\n"),
        r"wins\.csv, line 10: 'else' is none of tuned, base, tie",
    ),
    "tie as order": (
        lambda: pairwise(WINS + "p3,tie,gpt,tuned\n"),
        r"wins\.csv, line 10: 'tie' is none of tuned, base; a table",
    ),
    "no winner": (lambda: pairwise(WINS + "p3,tuned,gpt,\n"), r"wins\.csv, line 10: no preference"),
    "no order": (
        lambda: pairwise(WINS + "p3,,gpt,tuned\n"),
        r"wins\.csv, line 10: nothing says the order",
    ),
    "arm not compared": (
        lambda: pairwise(WINS.replace("tuned", "tuend")),
        r"wins\.csv: no 'tuned' in it, did you mean 'tuend'",
    ),
    "one order": (
        lambda: pairwise(WINS + "p3,base,gpt,base\n"),
        r"wins\.csv, line 10: 'p3' is judged in one order only",
    ),
    "an order of each judge": (
        lambda: pairwise("prompt,order,winner,judge\np,base,base,j\np,tuned,tuned,k\n"),
        r"wins\.csv, line 2: 'p' is judged in one order only by j; judge it in both",
    ),
    "repeated judgement": (
        lambda: pairwise(WINS + "p1,base,gpt,base\n"),
        r"wins\.csv, line 10: item 'p1' of 'tuned' stands there twice, first in wins\.csv, line 3",
    ),
    "a lone surrogate": (
        lambda: jsonl('{"arm": "base", "item": "a\\ud800", "score": 1}\n'),
        r"scores\.jsonl, line 1: block 'a\\ud800' holds half a character",
    ),
    "a lone surrogate in the unit": (
        lambda: jsonl('{"arm": "base", "item": "a", "score": 1, "unit": "\\udfff"}\n'),
        r"scores\.jsonl, line 1: unit '\\udfff' holds half a character",
    ),
    "surrogates in bytes": (
        lambda: jsonl(b'{"arm": "base", "item": "a", "score": 1}\n\n{"item": "\xed\xa0\x80"}\n'),
        r"scores\.jsonl, line 3: not UTF-8",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_in_one_line_with_file_and_line(case):
    make, said = BAD[case]
    tables = make()
    arms = ["tuned"] if tables[0]["format"] == "pairwise" else ["base", "tuned"]
    with pytest.raises(ValueError, match="^" + said) as error:
        observe(*tables, arms=arms)
    assert str(error.value).isprintable() and len(str(error.value)) < 700


HTML = "<!DOCTYPE html><html><body>Sign in</body></html>"
RESULTS = json.dumps({"results": {"jnli": {"acc,none": 0.5}}, "versions": {"jnli": 1}}, indent=2)
JAPANESE = "arm,item,score\nbase,問い,1\ntuned,問い,2\n"
KINDS = {  # a file read under a format, and what is said of it
    "JSON lines": ("csv", lines(ROWS), "this is JSON lines; say format: jsonl"),
    "a log": ("csv", GOOD, "this is a log of lm-evaluation-harness; say format: lm-eval"),
    "a list of JSON": ("csv", json.dumps(ROWS, indent=2), "this is JSON lines; say format: jsonl"),
    "means of tasks": ("csv", RESULTS, "this is results.json of lm-evaluation-harness, one mean"),
    "means for a log": ("lm-eval", RESULTS, "log that --log_samples writes"),
    "CSV for JSON": ("jsonl", SCORES, "this is text and not JSON lines; if it is a table, say"),
    "CSV for a log": ("lm-eval", SCORES, "this is text and not a log of lm-evaluation-harness"),
    "tabs": (
        "csv",
        SCORES.replace(",", "\t"),
        "line 1: no column 'item': the cells .* delimiter: tab",
    ),
    "semicolons": ("csv", SCORES.replace(",", ";"), "line 1: no column .* delimiter: ';'"),
    "Shift_JIS": ("csv", JAPANESE.encode("cp932"), "line 2: this is Shift_JIS; save it as UTF-8"),
    "EUC-JP": ("csv", JAPANESE.encode("euc_jp"), "line 2: this is EUC-JP; save it as UTF-8"),
    "Shift_JIS in JSON": (
        "jsonl",
        '{"item": "問い"}\n'.encode("cp932"),
        "line 1: this is Shift_JIS; save it as UTF-8",
    ),
    "Latin-1": ("csv", "arm,item,score\nbase,é,1\n".encode("latin-1"), "line 2: not UTF-8; save"),
    "UTF-16": ("csv", SCORES.encode("utf-16"), "this is UTF-16; save it as UTF-8"),
    "UTF-16 without its mark": ("csv", SCORES.encode("utf-16-le"), "this is UTF-16; save it"),
    "UTF-16 in JSON": ("jsonl", lines(ROWS).encode("utf-16"), "this is UTF-16; save it as UTF-8"),
    "Excel": ("csv", b"PK\x03\x04 not whole", "damaged zip archive"),
    "old Excel": (
        "csv",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
        "an Excel workbook; save",
    ),
    "Parquet": ("csv", b"PAR1" + bytes(99), "this is Parquet; say format: parquet"),
    "a web page": ("csv", HTML, "this is a web page or XML; bring the table itself"),
    "a pointer": ("csv", "version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    "xz": ("jsonl", b"\xfd7zXZ\x00" + bytes(99), "compressed with xz; unpack it"),
    "cut gzip": ("csv", gzip.compress(SCORES.encode())[:-9], r"damaged gzip \("),
    "wrong gzip": (
        "jsonl",
        gzip.compress(lines(ROWS).encode())[:-8] + bytes(8),
        r"damaged gzip \(",
    ),
    "bytes": ("csv", bytes(range(256)) * 9, "not UTF-8"),
}


@pytest.mark.parametrize("case", KINDS)
def test_a_file_that_is_not_readable_is_named_for_what_it_is(case):
    format, content, said = KINDS[case]
    put("scores", content)
    table = {"path": "scores", "format": format, "arm": "base" if format == "lm-eval" else None}
    with pytest.raises(ValueError, match=f"^scores(:|,) .*{said}") as error:
        observe(table, arms=["base"])
    assert str(error.value).isprintable()


def test_an_excel_workbook_is_named():
    import zipfile

    with zipfile.ZipFile("scores.csv", "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(ValueError, match="this is an Excel workbook; save the sheet as CSV"):
        observe(CSV)


RED = "\x1b[31mred\x1b[0m"
RAW = {  # control sequences in each place of a table that an error may show
    "value": (lambda: csv(SCORES.replace("4.5", RED)), "line 5"),
    "item": (lambda: csv(SCORES + f"tuned,{RED},1\n"), "line 6"),
    "column": (lambda: csv(f"arm,item,{RED}\nbase,a,1\n"), "line 1"),
    "arm": (lambda: csv(SCORES.replace("tuned", RED)), "no row of the arm"),
    "winner": (lambda: pairwise(WINS + f"p3,tuned,gpt,{RED}\n"), "line 10"),
    "key": (lambda: jsonl([{RED: 1}]), "line 1"),
    "filter": (lambda: harness(GOOD, GOOD, filter=None), None),
    "C1": (lambda: csv(SCORES + "tuned,\x9b31mred,1\n"), "line 6"),
    "line separator": (lambda: csv(SCORES + "tuned,a\u2028b\u202e,1\n"), "line 6"),
    "ten million characters": (lambda: csv(SCORES + f"tuned,{'x' * 10_000_000},1\n"), "line 6"),
}


@pytest.mark.parametrize("case", RAW)
def test_nothing_of_a_file_reaches_the_terminal_as_it_is(case):
    make, said = RAW[case]
    tables = make()
    if case == "filter":
        put(BASE, log([1.0], filter=RED) + log([1.0], filter="\r\x07"))
        said = "holds the filters"
    arms = ["tuned"] if tables[0]["format"] == "pairwise" else ["base", "tuned"]
    with pytest.raises(ValueError, match=said) as error:
        observe(*tables, arms=arms)
    assert str(error.value).isprintable() and len(str(error.value)) < 700


ODD = [  # names that CSV, a terminal or a sort could spoil
    *("a\rb", "a\r\nb", "a\nb", "a\0b", "\tb", "a\x1b[31m", "a\x85", "a\x7f"),
    *(
        '"',
        'a"b',
        '"a"',
        "'",
        ",",
        "a,b",
        "a\\",
        "#",
        "=1+1",
        " a ",
        "　全角　",
        "NA",
        "nan",
        "null",
    ),
    *(
        "a/b",
        "a%2Fb",
        "a%252Fb",
        "100%",
        "%",
        "%0D",
        "a\u2028b",
        "🦊",
        "é",
        "e\u0301",
        "007",
        "1e3",
    ),
    *("問1①", "問1②", "²", "٣", "３", "1" * 5000, "x" * 200_000),
]


def test_what_an_import_writes_judging_reads_back(tmp_path):
    rows = [{"arm": "base", "item": name, "score": n} for n, name in enumerate(ODD)]
    (table,) = jsonl(rows)
    frame, conditions = observe(table, arms=["base"])["base"]
    assert frame["block"].nunique() == len(ODD)
    assert list(frame["value"]) == [float(n) for n in range(len(ODD))]
    assert not frame["block"].str.contains("[\x00-\x1f\x7f-\x9f/]").any()
    (path,) = observations.write(tmp_path / "brought", frame, conditions)
    again, _ = observations.read(path)
    assert again.equals(frame)
    assert len(path.read_text().splitlines()) > len(ODD)
    side = units.Side(arm="base", metric="score", block=None)
    judged = units.values(side, again, "brought")
    assert sorted(judged.map(lambda cells: cells[0])) == list(frame["value"])


def decoded(block):
    return re.sub("%(2[5F]|[0189][0-9A-F]|7F)", lambda found: chr(int(found[1], 16)), block)


def test_names_are_kept_to_the_letter():
    (table,) = jsonl([{"arm": "base", "item": name, "score": 1} for name in ODD])
    assert [decoded(block) for block in observe(table, arms=["base"])["base"][0]["block"]] == ODD


@pytest.mark.parametrize("names", [("a\rb", "a\nb"), ("a/b", "a%2Fb"), ("a%0D", "a\r")])
def test_two_names_never_become_one(names):
    rows = [{"arm": arm, "item": name, "score": 1} for arm in ("base", "tuned") for name in names]
    assert len(values(observe(*jsonl(rows))["base"][0])) == 2
    with pytest.raises(ValueError, match=r"line 1: item .* has no score in 'tuned' \(2 such"):
        observe(*jsonl([dict(rows[0]), {**rows[0], "arm": "tuned", "item": names[1]}]))


def test_a_line_of_ten_megabytes_is_read():
    long = "長" * 4_000_000
    for make in (
        lambda: jsonl([{**row, "answer": long} for row in ROWS]),
        lambda: csv(
            "arm,item,score,answer\n" + "".join(f"{a},a,1,{long}\n" for a in ("base", "tuned"))
        ),
    ):
        assert values(observe(*make())["base"][0]) == {"a": 1}


PIECES = [
    b'"',
    b"\n",
    b"\r",
    b"\0",
    b",",
    b"\xff",
    b"\xed\xa0\x80",
    b"\x1b[31m",
    b"\xef\xbb\xbf",
    b"{",
    b"[",
]
PIECES += [
    b"NaN",
    b"1e999",
    b"null",
    b"'",
    "あ".encode(),
    "\u2028".encode(),
    b"\\ud800",
    b"\x1f\x8b",
]


def spoilt(content, random):
    """The content with a few pieces put in, cut out or written over."""
    found = bytearray(content)
    for _ in range(random.randint(1, 3)):
        place, piece = random.randrange(len(found) + 1), random.choice(PIECES)
        kept = place + random.choice([0, len(piece), random.randint(1, 30)])
        found[place:kept] = random.choice([piece, b""])
    return bytes(found)


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "pairwise", "inspect", "lm-eval"])
def test_no_other_error_escapes_from_a_spoilt_file(format, tmp_path):
    """Each is read as it is written, or refused in one printable line that names the file."""
    pd.DataFrame(ROWS).to_parquet("scores.parquet")
    content = {
        **{"csv": SCORES.encode(), "jsonl": lines(ROWS).encode(), "pairwise": WINS.encode()},
        **{"lm-eval": GOOD.encode(), "inspect": QUIZ.read_bytes()},
        "parquet": Path("scores.parquet").read_bytes(),
    }[format]
    metric = {"lm-eval": "acc", "inspect": "match"}.get(format)
    named = ["base", "tuned"] if metric else ["tuned"] if format == "pairwise" else [None]
    tables = [{"path": "spoilt", "format": format, "arm": arm, "metric": metric} for arm in named]
    random = Random(format)
    for number in range(120):
        put("spoilt", spoilt(content, random))
        arms = ["tuned"] if format == "pairwise" else ["base", "tuned"]
        try:
            found = observe(*tables, arms=arms, incomplete=random.choice(["refuse", "drop"]))
        except ValueError as error:
            assert str(error).isprintable() and len(str(error)) < 700
            assert str(error).startswith("spoilt")
        else:
            for frame, conditions in found.values():
                (path,) = observations.write(tmp_path / str(number), frame, conditions)
                assert observations.read(path)[0].equals(frame)
