"""A small hub and a cache of its own, for the process that runs the tests."""

import pytest
from hub_server import served


@pytest.fixture
def hub_server(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/none")  # whatever the user has
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "KENSHO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with served() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
