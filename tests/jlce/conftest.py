"""What tests of a judge share: its server, answers of two arms, and their comparison."""

import threading
from http.server import ThreadingHTTPServer

import pytest
from judge_server import ITEMS, Handler, endpoint, line, longer, put
from kensho.evaluate.journal import Journal
from kensho.jlce.preference import compare


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.judge, found.finish, found.key = longer, "stop", None
    found.seen, found.first, found.lock = [], [], threading.Lock()
    found.reads = None
    found.url = f"http://127.0.0.1:{found.server_port}/v1"
    threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


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
