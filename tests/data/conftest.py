"""What tests of sources share: a server, and a fetch into their folder."""

import pytest
from kensho.data.sources import fetch
from local_server import serving
from source_server import TEXT, Handler


@pytest.fixture
def server(monkeypatch):
    answers = {"ranges": True, "answers_ranges_with_all": False, "types": {}, "busy": {}}
    state = {"files": {"/a.tsv": TEXT}, "seen": [], "cut": {}, "pause": 0, **answers}
    with serving(Handler, monkeypatch, **state) as found:
        monkeypatch.setenv("PIP_INDEX_URL", f"{found.url}/simple/")
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        yield found


@pytest.fixture
def get(tmp_path):
    """Fetch a source into tmp_path/out; returns its record."""

    def run(wanted, mirror=None):
        return fetch("a", wanted, tmp_path / "out", cache=tmp_path / "cache", mirror=mirror)

    return run
