"""What tests of a judge share: its server, answers of two arms, and their comparison."""

import threading

import pytest
from judge_server import ITEMS, Handler, endpoint, line, longer, put
from kensho.evaluate.journal import Journal
from kensho.jlce.preference import compare
from local_server import serving


@pytest.fixture
def server(monkeypatch):
    state = {"judge": longer, "reads": None, "finish": "stop", "key": None}
    state |= {"seen": [], "first": [], "lock": threading.Lock()}
    with serving(Handler, monkeypatch, **state) as found:
        found.url += "/v1"
        yield found


@pytest.fixture
def answered(tmp_path):
    """Files of two arms: `long` writes more than `short` to every item."""
    return [
        put(tmp_path / arm / "answers.jsonl", [line(*one, f"{one[1]}は{text}") for one in ITEMS])
        for arm, text in (("long", "とても長い答えです"), ("short", "短い"))
    ]


@pytest.fixture
def run(tmp_path, server, answered):
    """Compare `long` with `short`; returns table and conditions."""

    def run(**given):
        journal = Journal(tmp_path / "journal.jsonl")
        return compare(["long", "short"], answered, endpoint(server, **given), journal)

    return run
