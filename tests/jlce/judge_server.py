"""A judge over HTTP on this machine, and answers for it to compare."""

import json
import re
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

from kensho.jlce.chat import Endpoint

KEY = "sk-very-secret-0123"
VARIABLE = "KENSHO_TEST_JUDGE_KEY"
FENCED = r"\n<(?:\w+)>\n(.*?)\n</(?:\w+)>\n\n"
SHOWN = re.compile(f"【回答A】{FENCED}【回答B】{FENCED}【基準】", re.DOTALL)
# how a judge reads that goes by the headings alone
BY_HEADING = re.compile(r"【回答A】(.*?)【回答B】(.*?)【基準】(.*)", re.DOTALL)


class Handler(BaseHTTPRequestHandler):
    """Speaks the chat protocol; answers of `server.first` (status, headers, body) come first."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.seen.append((time.monotonic(), self.path, dict(self.headers), body))
            given = server.first.pop(0) if server.first else None
        if given is None and server.key and self.headers["Authorization"] != f"Bearer {server.key}":
            given = 401, {}, f"no such key: {self.headers['Authorization']}"
        if given is None:
            content = body["messages"][0]["content"]
            reads = server.reads or (lambda text: server.judge(*SHOWN.search(text).groups()))
            text = reads(content)
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": server.finish}
            given = 200, {}, json.dumps({"model": "judge-7b-awq", "choices": [choice]})
        if given in ("reset", "cut", "cut without length"):
            if given != "reset":  # in the middle of the body
                self.send_response(200)
                if given == "cut":
                    self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"choices": [')
            self.close_connection = True
            return None
        status, headers, text = given
        with suppress(ConnectionError):  # of a client that waits no longer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def longer(a, b):
    """A judge that prefers the longer answer."""
    best = "引き分け" if len(a) == len(b) else "A" if len(a) > len(b) else "B"
    return f"二つを比べました。\n\n判定：{best}"


def endpoint(server, **given):
    asked = {"url": server.url, "model": "judge-7b", "key_variable": None, "seed": 11}
    return Endpoint(**asked | {"max_tokens": 64, "timeout": 10, "parallel": 2} | given)


DOCUMENTS = {
    "summary": {"text": "本文{text}です。", "summary": "秘密の要約"},
    "question": {"passage": "節。", "question": "秘密の質問", "answers": ["答え一", "答え二"]},
    "style": {"text": "雨だ。", "direction": "丁寧体", "references": ["秘密の文体"]},
    "translation": {"text": "It rains.", "references": ["秘密の訳"]},
    "reading": {"title": "題", "passage": "節。", "question": "何か。", "answers": ["答え一"]},
}
ITEMS = [(task, f"{task}-{n}", f"c{n % 2}") for task in DOCUMENTS for n in range(4)]


def line(task, item, cluster, answer, **given):
    return {
        **{"seed": 0, "task": task, "template": 1, "item": item, "cluster": cluster},
        **{"answer": answer, "document": DOCUMENTS[task], "target": "?"},
        **given,
    }


def put(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
    path.write_text(text, encoding="utf-8")
    return path
