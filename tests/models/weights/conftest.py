"""A small hub and empty caches, for the tests that ask for them."""

import threading
from pathlib import Path

import pytest
from safetensors.numpy import save
from small_hub import BUNDLED, FILE_ONLY, RECORD, Hub, small_weights, use_endpoint, use_home
from small_hub import use_records as set_records


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """Empty caches and configuration, no hub, and the small network in GoogLeNet's place."""
    use_home(monkeypatch, tmp_path)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("JAXDREAM_WEIGHTS", raising=False)
    use_endpoint(monkeypatch, "http://127.0.0.1:9")
    set_records(monkeypatch, RECORD, BUNDLED, FILE_ONLY)
    return tmp_path


@pytest.fixture
def hub(home, monkeypatch):
    """The small hub."""
    del home
    server = Hub(save(small_weights()))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    use_endpoint(monkeypatch, server.url)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
