"""A judge whose replies are scripted, behind the chat protocol on the loopback interface."""

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kensho.judging import prompts, verdicts

PLANTED = verdicts.planted(Path(__file__).parents[2] / "resources/judging/planted.jsonl")
BETTER = {one.better for one in PLANTED}


class Handler(BaseHTTPRequestHandler):
    """Speaks the chat protocol; `server.says` makes of a prompt a text or (status, body)."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = self.server.says(body["messages"][0]["content"])
        if said is None:  # the judge is gone: the connection breaks
            self.close_connection = True
            return
        status, text = (200, said) if isinstance(said, str) else said
        if status == 200:
            choice = {"message": {"content": text}, "finish_reason": "stop"}
            text = json.dumps({"model": "scripted", "choices": [choice]})
        with suppress(ConnectionError):  # of a client that waits no longer
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@contextmanager
def serving(says=None):
    """A server; ``says`` makes of a prompt a text, (status, body), or None to break off."""
    one = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.says, one.url = says, f"http://127.0.0.1:{one.server_port}/v1"
    threading.Thread(target=one.serve_forever, args=(0.01,), daemon=True).start()
    yield one
    one.shutdown()
    one.server_close()


def shown(prompt):
    """The two answers of a prompt, A and B, or the one that is marked."""
    parts = prompt.split("【回答")[1:3]
    return [part.split("\n<")[1].split(">\n", 1)[1] for part in parts]


def able(prompt):
    """Gets every planted pair right, and prefers answers that say 良."""
    texts = shown(prompt)
    good = [text in BETTER or "良" in text for text in texts]
    if prompts.SCALES["score"] in prompt:
        return f"読みました。\n{3 if good[0] else 0}"
    if "Bの並び順" not in prompt:
        return f"読みました。\n{9 if good[0] else 3}"
    if good[0] == good[1]:
        return "同じです。\n引き分け"
    return "比べました。\n" + ("A" if good[0] else "B")
