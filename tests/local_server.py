"""An HTTP server on this machine, with what a test's own handler reads of it."""

import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


@contextmanager
def serving(handler, monkeypatch, **state):
    """The server, with ``state`` as its attributes; nothing stands between it and the test."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    vars(server).update(state, url=f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
