"""The endpoint of a judge: what is asked again, what is named, and that a key stays secret."""

import json
import os
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from judge_server import (
    KEY,
    VARIABLE,
    endpoint,
)
from kensho.evaluate.journal import Journal
from kensho.jlce import chat, preference
from kensho.jlce.preference import verdict
from kensho.observations import write


def test_a_busy_endpoint_is_waited_for_as_it_says(server, monkeypatch):
    waited = []
    monkeypatch.setattr(chat.time, "sleep", waited.append)
    past = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
    for status, after in ((429, "1"), (503, past)):
        server.first = [(status, {"Retry-After": after}, "loading")]
        assert chat.ask(endpoint(server), prompt(), None).text.endswith("A")
    assert waited == [1, 0] and len(server.seen) == 4


def prompt():
    return preference.PROMPT.format(
        instruction="", document="", a="長い", b="短", mark="m", criterion=""
    )


@pytest.mark.parametrize(
    "fault",
    [
        *((status, {}, "") for status in (408, 500, 502, 504, 524)),
        "reset",
        "cut",
        "cut without length",
    ],
)
def test_what_passes_is_asked_again(server, monkeypatch, fault):
    monkeypatch.setattr(chat, "FIRST_WAIT", 0.01)
    server.first = [fault] * 2
    assert chat.ask(endpoint(server), prompt(), None).text.endswith("A")
    assert len(server.seen) == 3
    server.first = [fault] * 9
    with pytest.raises(ConnectionError, match=r"^jlce.judge.url: .* 5 attempts") as e:
        chat.ask(endpoint(server), prompt(), None)
    assert "/v1" not in str(e.value) and len(server.seen) == 3 + chat.ATTEMPTS


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost/v1", True),
        ("https://judge.example.org/v1", True),
        ("http://judge.example.org/v1", False),
        ("http://10.0.0.7:8000/v1", False),
        ("http://127.0.0.1.example.org/v1", False),
    ],
)
def test_a_key_goes_over_https_or_stays_on_this_machine(server, url, fits):
    endpoint(server, url=url)  # without a key any address will do
    if fits:
        endpoint(server, url=url, key_variable=VARIABLE)
    else:
        with pytest.raises(ValueError, match=r"^jlce.judge.url: would send the API key in the cl"):
            endpoint(server, url=url, key_variable=VARIABLE)


@pytest.mark.parametrize("odd", [b"", b"5", b"{", b"[1, 2, 3]", b"null", b"\xff", b'["k", 4]'])
def test_an_odd_line_of_a_journal_loses_nothing_after_it(tmp_path, odd):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'["a", ["1"]]\n' + odd + b'\n["b", ["2"]]\n["c", ["to')
    journal = Journal(path)
    assert dict(journal) == {"a": ["1"], "b": ["2"]}
    journal["d"] = ["3"]
    assert dict(Journal(path)) == {"a": ["1"], "b": ["2"], "d": ["3"]}


def test_an_endpoint_that_stays_busy_is_named(server):
    server.first = [(429, {"Retry-After": "0"}, "")] * 9
    with pytest.raises(ConnectionError, match=r"^jlce.judge.url: .* still busy \(HTTP 429\) after"):
        chat.ask(endpoint(server), prompt(), None)
    assert len(server.seen) == chat.ATTEMPTS
    server.first = [(429, {"Retry-After": "4000"}, "")]
    with pytest.raises(ValueError, match=r"^jlce.judge.url: .* takes no request for 4000 s"):
        chat.ask(endpoint(server), prompt(), None)


def test_the_key_is_sent_and_written_nowhere(run, server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv(VARIABLE, KEY)
    server.key = KEY
    table, conditions = run(key_variable=VARIABLE)
    assert (table["value"] == 1).all()
    write(tmp_path / "written", table, conditions)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY not in path.read_text(encoding="utf-8")
    server.key, server.first = "another", []
    with pytest.raises(
        ValueError, match=rf"^jlce.judge.key_variable: .*HTTP 401.* {VARIABLE}$"
    ) as e:
        run(key_variable=VARIABLE, seed=1)
    assert KEY not in str(e.value)
    server.first = [(400, {}, f"bad header Bearer {KEY}")]
    with pytest.raises(ValueError, match="HTTP 400") as e:
        chat.ask(endpoint(server), prompt(), KEY)
    assert KEY not in str(e.value)


def test_what_stays_on_this_machine_goes_through_no_proxy(server, monkeypatch):
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert chat.ask(endpoint(server), prompt(), KEY).text.endswith("A")


def test_a_missing_or_unwanted_key_is_named(run, server, monkeypatch):
    with pytest.raises(ValueError, match=rf"^jlce.judge.key_variable: .*{VARIABLE} is not set"):
        run(key_variable=VARIABLE)
    monkeypatch.setenv(VARIABLE, f"{KEY}\nX: y")
    with pytest.raises(ValueError, match=rf"{VARIABLE} holds no API key; export") as e:
        run(key_variable=VARIABLE)
    assert KEY not in str(e.value) and server.seen == []
    server.key = KEY
    monkeypatch.setenv("NETRC", os.devnull)
    with pytest.raises(ValueError, match=r"^jlce.judge.key_variable: .*HTTP 401\); name there"):
        run()


def test_an_endpoint_that_takes_no_seed_is_asked_without(run, server):
    refusal = 400, {}, json.dumps({"error": {"message": "Unknown parameter: 'seed'"}})
    server.first = [refusal]
    table, conditions = run(parallel=1)
    assert (table["value"] == 1).all() and "seed" not in server.seen[1][3]
    assert conditions["own"]["judge"]["seed"] is None
    assert conditions["fallbacks"] == ["the judge's endpoint takes no seed"]


@pytest.mark.parametrize(
    "status, body, said",
    [
        (200, "<html>a page</html>", "jlce.judge.url: what .* answers is no chat completion"),
        (200, '{"choices": []}', "jlce.judge.url: .* no chat completion"),
        (200, '{"choices": [{"message": {"content": 3}}]}', "jlce.judge.url: .* no chat compl"),
        (200, "[]", "jlce.judge.url: .* no chat completion"),
        (200, "[" * 100_000, "jlce.judge.url: .* no chat completion"),
        (404, "", "jlce.judge.url: HTTP 404 from .*, and in jlce.judge.model a model"),
        (302, "", "jlce.judge.url: HTTP 302 from"),
        (400, "context\nis 2048", r"jlce.judge.model: .*HTTP 400: context is 2048\); mend"),
    ],
)
def test_a_faulty_answer_is_one_line_with_key_and_mend(server, status, body, said):
    server.first = [(status, {"Location": server.url} if status == 302 else {}, body)]
    with pytest.raises(ValueError, match=f"^{said}") as e:
        chat.ask(endpoint(server), prompt(), None)
    assert "\n" not in str(e.value) and len(server.seen) == 1


def test_half_a_character_of_a_reply_can_be_written(server):
    server.judge = lambda a, b: "\ud83e\n引き分け"
    assert chat.ask(endpoint(server), prompt(), None).text.encode() == "?\n引き分け".encode()


def test_no_text_is_an_unread_reply(server):
    server.judge = lambda a, b: None
    reply = chat.ask(endpoint(server), prompt(), None)
    assert reply.text == "" and verdict(reply) is None


def test_an_endpoint_out_of_reach_is_named(run, server, monkeypatch):
    monkeypatch.setattr(chat, "FIRST_WAIT", 0.01)
    with pytest.raises(ConnectionError, match=r"^jlce.judge.url: cannot reach http://127.0.0.1:9 "):
        run(url="http://127.0.0.1:9/v1")
    server.judge = lambda a, b: time.sleep(1)
    with pytest.raises(ValueError, match=r"^jlce.judge.timeout: no reply from .* within 0.2 s"):
        chat.ask(endpoint(server, timeout=0.2), prompt(), None)


@pytest.mark.parametrize(
    "url",
    ["http://me:pw@127.0.0.1/v1", "https://example.org/v1?key=pw", "https://me:pw＠example.org/v1"],
)
def test_a_url_with_a_secret_is_refused(url, server):
    with pytest.raises(ValueError, match=r"^jlce.judge.url: (holds a password|cannot be rea)") as e:
        endpoint(server, url=url)
    assert "pw" not in str(e.value)


def test_a_key_in_place_of_its_variable_is_not_shown(server):
    with pytest.raises(ValueError, match=r"^jlce.judge.key_variable: not the name of an env") as e:
        endpoint(server, key_variable=KEY)
    assert KEY not in str(e.value)
