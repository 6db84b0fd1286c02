"""A small Hugging Face Hub on 127.0.0.1 with one small GoogLeNet, also for other processes."""

import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from huggingface_hub import constants

from jaxdream.models.googlenet import googlenet
from jaxdream.models.weights import registry

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@cache
def small_graph():
    """GoogLeNet with about 8 channels a layer."""
    return googlenet(width=0.05, lrn=False)


BUNDLED = registry.record_of("googlenet_mini")
RECORD = replace(
    registry.record_of("googlenet"), build=small_graph, repo="zoo/small", file="small.safetensors"
)
FILE_ONLY = replace(RECORD, model="mine", repo=None, file="mine.safetensors")


@cache
def small_weights() -> dict[str, np.ndarray]:
    """Random weights of the small GoogLeNet."""
    random = np.random.default_rng(0)
    made = {}
    for scope, shape in small_graph().kernel_shapes.items():
        made[f"{scope}/kernel"] = random.normal(0, 0.1, shape).astype(np.float32)
        made[f"{scope}/bias"] = random.normal(0, 0.1, shape[-1:]).astype(np.float32)
    return made


class Hub(ThreadingHTTPServer):
    """As much of the hub as a download needs."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.content = content
        self.etag = hashlib.sha256(content).hexdigest()
        self.size = len(content)
        self.failure: tuple[int, str] | None = None
        self.is_hub = True
        self.pauses: list[float] = []  # seconds before each part of the body, which has one byte
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def damage(self, kind: str) -> None:
        """Spoil the file that the hub has."""
        if kind == "short":
            self.content = self.content[:-100]
        elif kind == "wrong values":
            self.content = self.content[:-100] + bytes(100)
        elif kind == "not weights":
            self.content = b"<html>" * 100
            # Only the content itself proves it wrong.
            self.size, self.etag = len(self.content), "abc"


class HubHandler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        hub = self.server
        assert isinstance(hub, Hub)
        hub.requests.append(f"{self.command} {self.path}")
        status, code = hub.failure or (200, "")
        if not self.path.startswith("/zoo/"):  # other questions of the library
            status, code = 404, "EntryNotFound"
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if hub.is_hub:
            self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hub.etag}"')
        self.send_header("X-Linked-Size", str(hub.size))
        body = hub.content if status == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            with suppress(OSError):  # the other side has had enough
                for seconds in hub.pauses:
                    time.sleep(seconds)
                    self.wfile.write(body[:1])
                    self.wfile.flush()
                self.wfile.write(body)

    do_GET = do_HEAD

    def log_message(self, format, *args):
        pass


def use_endpoint(monkeypatch, url: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def use_home(monkeypatch, folder) -> None:
    """Caches and configuration in a folder."""
    monkeypatch.setenv("JAXDREAM_CACHE", str(folder / "jaxdream"))
    monkeypatch.setenv("JAXDREAM_CONFIG", str(folder / "config"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))


def use_records(monkeypatch, *records) -> None:
    """Put these into the registry's place."""
    from jaxdream.models.weights import check, local

    for module in (registry, check, local):
        monkeypatch.setattr(module, "RECORDS", records)
