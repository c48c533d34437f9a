"""A server of completions as `vllm serve` is one, in a thread or as a program; its model counts.

A prompt that names a fault (a text) gets that instead of an answer.
"""

import json
import os
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PACE = 0.02  # seconds before each token
METRICS = """# HELP vllm:prefix_cache_hits_total tokens
vllm:prefix_cache_hits_total{{engine="0",model_name="served"}} {hits}
vllm:cache_config_info{{block_size="16",cache_dtype="auto",num_gpu_blocks="100"}} 1.0
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/metrics":
            return self.reply(METRICS.format(hits=float(self.server.hits)))
        listed = {"data": [{"id": "served", "max_model_len": 512}]}
        return self.reply(json.dumps(listed) if self.path == "/v1/models" else "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/reset_prefix_cache":
            self.server.forgotten += 1
            return self.reply("")
        asked = json.loads(body)
        with self.server.lock:
            self.server.asked.append((time.perf_counter(), asked))
            self.server.hits += 16 * self.server.cached
            if len(self.server.asked) == self.server.last:
                sys.stderr.write("RuntimeError: the engine has died\n")
                sys.stderr.flush()
                self.server.end(3)
        if asked["prompt"] == "refuse":
            return self.reply('{"error": {"message": "too long"}}', status=400)
        return self.stream(asked["prompt"], asked["max_tokens"])

    def reply(self, text, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def stream(self, prompt, count):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        name = prompt if isinstance(prompt, str) else f"{sum(prompt) % 97}-"
        for number in range(count):
            time.sleep(self.server.pace)
            if prompt == "cut" and number == 2:
                self.close_connection = True
                return
            if prompt == "late" and number == 1:
                time.sleep(20)
            if prompt == "prose" and number == 1:
                self.tell("I am no JSON")
            text = 7 if prompt == "number" else f"{self.server.word}{name}{number} "
            self.tell(json.dumps({"choices": [{"text": text}]}))
        if prompt != "uncounted":
            written = count - 1 if prompt == "short" else count
            self.tell(json.dumps({"choices": [], "usage": {"completion_tokens": written}}))
        if prompt != "endless":
            self.tell("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def tell(self, text):
        event = f": a comment\n\ndata: {text}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, port=0, pace=PACE, last=0, cached=0, word="", end=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.pace, self.last, self.cached, self.word, self.end = pace, last, cached, word, end
        self.asked, self.hits, self.forgotten, self.lock = [], 0, 0, threading.Lock()

    def handle_error(self, *_):
        """A client that has gone is none of its business."""


@contextmanager
def running(**more):
    """A server in a thread, and its URL."""
    server = Server(**more)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def program(folder):
    """What starts it where vLLM's Python is asked for: options of vLLM's choose how it serves."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return python


def main(options):
    if "--quantization" in options:
        sys.exit(
            "WARNING 11-27 [lib.py:1] as in `OSError: [Errno 24] Too many open files`\n"
            "(EngineCore pid=3) ERROR 11-27 [core.py:842] ValueError: fp8 is not for this device\n"
            "(APIServer pid=1) RuntimeError: Engine core initialization failed. See above."
        )
    port = int(options[options.index("--port") + 1])
    cached, last = int("--enable-prefix-caching" in options), 9 * ("--kv-cache-dtype" in options)
    word = "other " if "--speculative-config" in options else ""
    Server(port, 0.002, last, cached, word, os._exit).serve_forever(0.05)


if __name__ == "__main__":
    main(sys.argv)
