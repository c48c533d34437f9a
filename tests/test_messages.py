"""What logs and terminals show: no control character, of an address its scheme and host alone."""

import logging
import sys
from pathlib import Path

import pytest
from kensho import messages
from kensho.data import sources
from kensho.plan.check import check
from kensho.run import events
from kensho.run.job import job
from scripted import snakemake

ODD = {
    "escape": ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
    "tab": ("a\tb", r"a\tb"),
    "carriage return": ("a\rb", r"a\rb"),
    "C1": ("\x9b31m", r"\x9b31m"),
    "bidi": ("\u202egnp", r"\u202egnp"),
    "line separator": ("a\u2028b", r"a\u2028b"),
    "half a character": ("\udc80", r"\udc80"),
}
odd = pytest.mark.parametrize(("raw", "shown"), ODD.values(), ids=ODD)


@odd
def test_what_is_not_printable_is_escaped_once(raw, shown):
    assert messages.escaped(raw) == messages.escaped(shown) == shown
    assert messages.plain(f"{raw}\n検証\u3000🦊\n") == f"{shown}\n検証\u3000🦊\n"
    assert messages.escaped("a\nb") == r"a\nb"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:TOKEN@host/TOKEN?key=TOKEN#TOKEN", "https://host"),
        ("http://user:p@TOKEN@host:8080", "http://host:8080"),
        ("git+https://TOKEN@host.example/x.git", "git+https://host.example"),
        ("ftp://[::1]:9/TOKEN", "ftp://[::1]:9"),
        ("http://host/\x1fTOKEN", "http://host"),
        ('http://host/a"TOKEN', "http://host"),
        ("http://user:TOKEN@[/", "the network"),
        ("http://user:a/TOKEN@host", "the network"),
    ],
)
def test_an_address_is_cut_to_its_site(address, shown):
    for before, after in (
        ("", ""),
        ("所は", ""),
        ("1", ""),
        ("see ", ", then"),
        ("(pypi: ", ")"),
        ("[{'https': '", "'}]"),
    ):
        assert messages.plain(before + address + after) == before + shown + after


@pytest.mark.parametrize("text", ["docker://r.example/i@sha256:1", "a//b", "1:2", "12:30 // x"])
def test_what_is_no_address_stays(text):
    assert messages.plain(text) == text


def test_snakemakes_log_shows_no_value_of_the_command_line(monkeypatch, caplog):
    monkeypatch.setattr(sys, "argv", ["snakemake", "--config", "key=a b", "-Cx=y", "--", "all"])
    logger = logging.getLogger("as Snakemake's")
    logger.addFilter(messages.Plain())
    more = {"cmd": " ".join(sys.argv), "reason": "now: http://u@host/x", "number": 1}
    logger.warning("begins\x1b", extra=more)
    [record] = caplog.records
    assert record.cmd == "snakemake --config key=… -Cx=… -- all"
    assert (record.msg, record.reason, record.number) == (r"begins\x1b", "now: http://host", 1)


@odd
def test_a_failing_job_says_nothing_raw(tmp_path, monkeypatch, capfd, raw, shown):
    monkeypatch.chdir(tmp_path)
    address = "http://user:TOKEN@host/TOKEN"
    with pytest.raises(SystemExit), job(snakemake("fetch", {"source": raw})):
        print(f"progress of {raw} at {address}", file=sys.stderr)
        raise ValueError(f"item '{raw}' at {address}")
    texts = [path.read_text("utf-8") for path in (events.LOG, Path("logs/fetch.log"))]
    past = events.read(events.LOG, *events.OF_JOBS)
    lines = [*events.failures(past), *events.execution_log(past)]
    told = [*capfd.readouterr(), *lines[:-2], *lines[-1].split("\t")]
    assert not any(raw in text or "TOKEN" in text for text in [*texts, *told])
    assert lines[0] == f"rule fetch {shown} failed: item '{shown}' at http://host"
    assert f"progress of {shown} at http://host\n" in texts[1]
    started, failed = past
    assert started.job == failed.job == f"fetch {shown}" and failed.seconds >= 0
    assert (started.event, failed.event) == ("started", "failed")
    assert events.given_up(past) == {f"fetch {shown}"}


@odd
def test_a_job_with_an_odd_name_is_known_to_have_finished(tmp_path, monkeypatch, raw, shown):
    monkeypatch.chdir(tmp_path)
    with job(snakemake("fetch", {"source": raw})):
        pass
    assert events.states(events.read()) == {events.named("fetch", [raw]): "finished"}


@pytest.mark.parametrize("key", ["sk-TOKEN", "TOKEN TOKEN", "Bearer:TOKEN"])
def test_a_key_in_place_of_its_variable_is_not_shown(key):
    judge = {"url": "https://host/v1", "model": "m", "pairs": [["full", "base"]]}
    raw = {"jlce": {"judge": {**judge, "key_variable": key}}}
    _, problems = check(raw, sources.load("config/sources.yaml")[0], {}, {})
    [said] = [line for line in problems if "key_variable" in line]
    assert "not the name of an environment variable" in said and "TOKEN" not in said
