"""A real language model on the loopback as judge: with random weights it can judge nothing."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from kensho.jlce.chat import Endpoint
from kensho.judging import verdicts
from kensho.models.loading import load

PLANTED = verdicts.planted(Path(__file__).parents[2] / "resources/judging/planted.jsonl")


@pytest.fixture
def served(tiny_model, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    model, tokenizer = load(tiny_model, torch.float32)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            ids = tokenizer(body["messages"][0]["content"], return_tensors="pt").input_ids[:, -64:]
            with lock, torch.inference_mode():
                most = body["max_tokens"]
                whole = model.generate(input_ids=ids, max_new_tokens=most, do_sample=False)
            own = whole[0, ids.shape[1] :]
            ended = "length" if len(own) == most else "stop"
            message = {"role": "assistant", "content": tokenizer.decode(own)}
            choice = {"index": 0, "message": message, "finish_reason": ended}
            text = json.dumps({"model": "tiny", "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_model_that_cannot_judge_is_told_from_one_that_can(served):
    endpoint = Endpoint(served, "tiny", None, 1, 8, 60, 1, key="judging.judges")
    rows = verdicts.ask(endpoint, verdicts.of_planted(PLANTED), {})
    assert set(rows["served"]) == {"tiny"} and len(rows) == 4 * len(PLANTED)
    for kind in ("pair", "mark"):
        found = verdicts.standing(rows, kind, 0.8, 0.05)
        assert found.why and found.why.startswith(f"it got {round(24 * found.right)} of 24 planted")
