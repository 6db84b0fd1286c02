"""The page, served by ``jaxdream web`` in a process of its own."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

PATIENCE = 120  # seconds: a machine with much to do needs ten times as long
# Where the tests run in the background, Ctrl-C is ignored, and programs inherit that.
_START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from jaxdream.cli.start import main; main()"
)
_Found = TypeVar("_Found")


def wait_for(found: Callable[[], _Found], seconds: float = PATIENCE) -> _Found:
    """What ``found`` gives, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.05)
    return value


def slowness() -> float:
    """How many times as long as alone things take on this machine, which does others too."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@dataclass
class Server:
    """The page's server, while it runs."""

    url: str
    process: subprocess.Popen
    temporary: Path  # its folder for temporary files
    output: Path  # what it has printed
    first_answer: float  # seconds from the command to the page
    proxy: socket.socket  # by which it would reach others

    def asked_others(self) -> list[str]:
        """What it has asked of other machines, since this was last called."""
        found = []
        while select.select([self.proxy], [], [], 0)[0]:
            connection, _ = self.proxy.accept()
            with connection:
                connection.settimeout(PATIENCE)
                found.append(connection.recv(1000).decode(errors="replace").split("\r\n")[0])
        return found

    @property
    def printed(self) -> str:
        return self.output.read_text()

    @property
    def folder(self) -> Path:
        """Where it keeps what is uploaded and made."""
        (folder,) = self.temporary.glob("jaxdream_page_*")
        return folder

    def results(self) -> set[Path]:
        """The folders of the visitors who have made something."""
        return set(self.folder.glob("**/results/*"))

    def interrupt(self) -> int:
        """Press Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(environment: Mapping[str, str], folder: Path, *options: str) -> Iterator[Server]:
    """The page with the bundled network, in a process, until the block ends."""
    temporary, output = folder / "tmp", folder / "output"
    temporary.mkdir()
    port = _free_port()
    url = f"http://127.0.0.1:{port}/"
    words = ["web", "--port", str(port), "--no-browser", "--model", "googlenet_mini", *options]
    begun = time.monotonic()
    with (
        socket.create_server(("127.0.0.1", 0)) as proxy,
        output.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-c", _START, *words],
            cwd=folder,
            env={**environment, **_through(proxy), "TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_for(lambda: _answers(url) or process.poll() is not None)
            seconds = time.monotonic() - begun
            server = Server(url, process, temporary, output, seconds, proxy)
            wait_for(lambda: "ready, with" in server.printed or process.poll() is not None)
            assert process.poll() is None, server.printed
            yield server
        finally:
            process.kill()


def _through(proxy: socket.socket) -> dict[str, str]:
    """What sends all requests to other machines to a proxy."""
    address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
    names = "http_proxy", "https_proxy", "all_proxy"
    found = {"no_proxy": "127.0.0.1,localhost"} | dict.fromkeys(names, address)
    return found | {name.upper(): value for name, value in found.items()}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            return response.status == 200
    except urllib.error.URLError:
        return False
