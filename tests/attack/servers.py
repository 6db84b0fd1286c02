"""Hubs that do wrong, on this machine."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

from attack.case import SMALL, Case, Place
from attack.pictures import picture

COMMIT = "0" * 40
SIZE = 1_000_000
# What it does wrong; the last ones hold the program for as long as they can.
QUICK = (
    "refuses", "404", "403", "429", "500", "503", "html", "no etag", "etag with a path",
    "commit with a path", "loop", "to a file", "huge", "negative", "control characters",
    "wrong body", "empty body", "closes",
)  # fmt: skip
SLOW = ("hangs", "body hangs", "trickles", "short body", "endless body")
BAD_ENDPOINTS = (
    "http://127.0.0.1:99999", "http://[::1", "http://\x1b[31m", "nonsense", "", "http://", "file:///",
)  # fmt: skip


class _Hub(BaseHTTPRequestHandler):
    behaviour = ""

    def do_HEAD(self) -> None:
        kind = self.behaviour
        if kind == "hangs":
            time.sleep(120)
        if kind in ("refuses", "closes"):
            self.connection.close()
            return
        if kind.isdigit():
            self.send_error(int(kind))
            return
        if kind in ("loop", "to a file"):
            self.send_response(302)
            self.send_header("Location", self.path if kind == "loop" else "file:///etc/passwd")
            self.end_headers()
            return
        self.send_response(200)
        if kind == "html":
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            return
        commit = "../../../../evil" if kind == "commit with a path" else COMMIT
        etag = {"etag with a path": '"../../../../victim.txt"', "no etag": ""}.get(kind, '"abc"')
        if kind == "control characters":
            etag = '"\x1b]0;x\x07"'
        size = {"huge": 10**15, "negative": -5}.get(kind, SIZE)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def do_GET(self) -> None:
        kind = self.behaviour
        self.do_HEAD()
        try:
            if kind == "body hangs":
                time.sleep(120)
            elif kind == "trickles":
                for _ in range(1200):
                    self.wfile.write(b"x" * 10)
                    self.wfile.flush()
                    time.sleep(0.1)
            elif kind == "endless body":
                for _ in range(100_000):
                    self.wfile.write(b"x" * 1_000_000)
            elif kind == "short body":
                self.wfile.write(b"x" * 1000)
            elif kind != "empty body":
                self.wfile.write(b"x" * SIZE)
        except OSError:  # the program has had enough
            return

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def hub(behaviour: str) -> Iterator[str]:
    """The address of a hub that does something wrong."""
    handler = type("Hub", (_Hub,), {"behaviour": behaviour})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def dream(place: Place, endpoint: str) -> Case:
    """A dream for which no network is named: it ends in the bundled one, within half a minute."""
    (place.work / "good.png").write_bytes(picture(Random(1), "png"))
    quick = [option for option in SMALL if option not in ("--model", "googlenet_mini")]
    home = place.work / "home"
    return Case(
        ["dream", "good.png", "-o", "new.png", *quick],
        codes=(0,),
        environment={
            "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        },
        seconds=45.0,  # with the dream itself
    )  # fmt: skip
