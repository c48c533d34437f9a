"""A model hub on 127.0.0.1, as huggingface_hub asks it; repositories are bytes in memory."""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

# Kept as LFS does: the tree has their sha256.
LARGE = (".safetensors", ".bin", ".model", ".parquet")


class Repository:
    """Files by path at each commit; the last commit is main.

    ``cut``: large bodies that break in the middle; ``lies``: bodies other than the tree says;
    ``lost``: paths that the tree names and nothing answers for.
    """

    def __init__(self, files):
        self.commits, self.gated, self.cut, self.lies, self.lost = {}, False, 0, {}, set()
        self.commit(files)

    def commit(self, files):
        stamp = f"{len(self.commits)}" + "".join(sorted(files))
        self.head = hashlib.sha1(stamp.encode()).hexdigest()
        self.commits[self.head] = dict(files)
        return self.head


class Server(ThreadingHTTPServer):
    """``renamed``: old name to new; ``seen``: method, path and range of what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories, self.renamed, self.seen = {}, {}, []
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def served():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def in_tree(path, content):
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry = {"type": "file", "path": path, "size": len(content), "oid": git}
    if path.endswith(LARGE):
        sha256 = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 134}
    return entry


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.seen.append((self.command, self.path, self.headers.get("Range")))
        path = unquote(urlsplit(self.path).path)
        asked = re.fullmatch(
            r"(/api/models|/api/datasets|/datasets)?"
            r"/([^/]+/[^/]+)(?:/(revision|tree|resolve)/(.+))?",
            path,
        )
        if not asked:
            return self.refuse(404, "EntryNotFound")
        _, name, what, rest = asked.groups()
        if new := self.server.renamed.get(name):
            return self.answer(307, headers={"Location": self.path.replace(name, new)})
        repository = self.server.repositories.get(name)
        if repository is None:
            return self.refuse(404, "RepoNotFound")
        revision, _, file = (rest or "main").partition("/")
        commit = repository.head if revision == "main" else revision
        files = repository.commits.get(commit)
        if files is None:
            return self.refuse(404, "RevisionNotFound")
        if what == "resolve":
            return self.file(repository, commit, file)
        if what == "tree":
            return self.say([in_tree(path, content) for path, content in files.items()])
        gated = "manual" if repository.gated else False
        return self.say({"id": name, "modelId": name, "sha": commit, "gated": gated, "tags": []})

    do_HEAD = do_GET

    def file(self, repository, commit, path):
        if repository.gated and not self.headers.get("Authorization"):
            return self.refuse(401, "GatedRepo")
        content = repository.commits[commit].get(path)
        if content is None or path in repository.lost:
            return self.refuse(404, "EntryNotFound")
        entry = in_tree(path, content)
        tag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        body, status = repository.lies.get(path, content), 200
        if begin := re.match(r"bytes=(\d+)-", self.headers.get("Range", "")):
            headers["Content-Range"] = f"bytes {begin[1]}-{len(body) - 1}/{len(body)}"
            body, status = body[int(begin[1]) :], 206
        cut = repository.cut and self.command == "GET" and len(body) > 100_000
        repository.cut -= bool(cut)
        self.answer(status, body, headers, sent=len(body) // 2 if cut else None)

    def say(self, value):
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, status, code):
        self.answer(status, b"{}", {"X-Error-Code": code, "Content-Type": "application/json"})

    def answer(self, status, body=b"", headers=(), sent=None):
        """``sent``: bytes after which the connection breaks."""
        self.send_response(status)
        for header in dict(headers).items():
            self.send_header(*header)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.close_connection |= sent is not None
            self.wfile.write(body[:sent])
