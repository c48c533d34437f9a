"""What tests of sources share: a server, and a fetch into their folder."""

import threading
from http.server import ThreadingHTTPServer

import pytest
from kensho.data.sources import fetch
from source_server import TEXT, Handler


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.files, found.seen, found.cut, found.ranges = {"/a.tsv": TEXT}, [], {}, True
    found.pause, found.types, found.busy, found.answers_ranges_with_all = 0, {}, {}, False
    found.url = f"http://127.0.0.1:{found.server_port}"
    monkeypatch.setenv("PIP_INDEX_URL", f"{found.url}/simple/")
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def get(tmp_path):
    """Fetch a source into tmp_path/out; returns its record."""

    def run(wanted, mirror=None):
        return fetch("a", wanted, tmp_path / "out", cache=tmp_path / "cache", mirror=mirror)

    return run
