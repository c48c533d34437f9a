"""A real HTTP server of files on this machine, and sources that it has."""

import gzip
import hashlib
import io
import re
import tarfile
import time
import zipfile
from http.server import BaseHTTPRequestHandler

import pytest
from kensho.data.sources import Source

TEXT = "".join(f"{i}\t文その{i}です。\tSentence {i}.\n" for i in range(20_000)).encode()


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Files from memory, with ranges; gzip for those who take it, as large hosts do."""

    def do_GET(self):
        self.server.seen.append((self.command, self.path, self.headers.get("Range")))
        content = self.server.files.get(self.path)
        if self.path in self.server.busy:
            self.send_response(503)
            self.send_header("Retry-After", self.server.busy[self.path])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if content is None:
            return self.send_error(404)
        if content.startswith(b"redirect "):
            self.send_response(302)
            self.send_header("Location", content.decode("latin-1").split()[1])
            return self.end_headers()
        start, wanted = 0, self.headers.get("Range")
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                return self.send_error(416)
            if self.server.answers_ranges_with_all:
                start = 0
        packed = "gzip" in self.headers.get("Accept-Encoding", "")
        body = (gzip.compress(content) if packed else content)[start:]
        self.send_response(206 if wanted and self.server.ranges else 200)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        if self.path in self.server.types:
            self.send_header("Content-Type", self.server.types[self.path])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            cut = self.server.cut.pop(self.path, len(body))
            for start in range(0, cut, 1 << 16):
                self.wfile.write(body[start : min(cut, start + (1 << 16))])
                time.sleep(self.server.pause)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def source(*places, content=TEXT, **more):
    record = {
        "kind": "dataset",
        "file": "a.tsv",
        "sha256": digest(content),
        "bytes": len(content),
        "licence": "CC BY 4.0",
        "licence_class": "by",
        "revision": "1",
        "places": list(places),
    }
    return Source.model_validate(record | more)


def cached(tmp_path, content=TEXT):
    return tmp_path / "cache" / digest(content)


def leftovers(tmp_path, content=TEXT):
    """Files in the cache beside the wanted one."""
    held = {path.name for path in (tmp_path / "cache").iterdir()}
    return sorted(held - {digest(content), "locks"})


def refused(get, wanted, *, as_a=ValueError, **more):
    with pytest.raises(as_a, match="source a: no place has it") as error:
        get(wanted, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def wheel(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


def sdist(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                bundle.addfile(info)
            elif content is None:
                info.type = tarfile.DIRTYPE
                bundle.addfile(info)
            else:
                info.size = len(content)
                bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def pypi(file, archive, member="demo/a.tsv"):
    return {"package": "demo", "file": file, "sha256": digest(archive), "member": member}


def publish(server, **archives):
    """Put archives on the index of the package demo; a name's first _ stands for its hyphen."""
    anchors = ['<a href="../../files/demo-0.9.zip">demo-0.9.zip</a>']
    for name, content in archives.items():
        file = name.replace("_", ".").replace(".", "-", 1)
        server.files[f"/files/{file}"] = content
        anchors.append(
            f'<a rel="x" href="../../files/{file}#sha256={digest(content)}"\n'
            f' data-requires-python="&gt;=3.8">\n{file}\n</a><br/>'
        )
    page = "<!DOCTYPE html><html><body>" + "\n".join(anchors) + "</body></html>"
    server.files["/simple/demo/"] = page.encode()
