import errno
import socket
import subprocess
import sys
import threading
import time

import pytest
from small_hub import RECORD, use_endpoint

from jaxdream.errors import JaxdreamError
from jaxdream.models.weights.hub import Unavailable, check_download, discard, download, file_size

# In a process of its own: the library reads the variable when it is imported.
FETCH = """
from jaxdream.errors import JaxdreamError
from jaxdream.models.weights import hub
from jaxdream.models.weights.registry import record_of
record = record_of("googlenet")
assert hub.downloaded(record) is None
try:
    hub.download(record, print)
except JaxdreamError as error:
    print(error)
"""


def test_size_of_a_file(hub):
    assert file_size(RECORD) == hub.size
    assert not any(request.startswith("GET /zoo") for request in hub.requests)


def test_offline_is_known_without_a_request(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unavailable, match="HF_HUB_OFFLINE is set") as error:
        file_size(RECORD)
    assert error.value.short == "HF_HUB_OFFLINE is set"
    assert hub.requests == []


@pytest.mark.usefixtures("home")
def test_a_hub_that_hangs_costs_no_more_than_the_timeout(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_endpoint(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        with pytest.raises(Unavailable) as error:
            file_size(RECORD, timeout=1.0)
        assert time.monotonic() - start < 3
    assert error.value.short == "no connection to a hub"


@pytest.mark.usefixtures("home")
def test_a_name_lookup_that_hangs_is_left(monkeypatch):
    hold = threading.Event()
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: hold.wait(20))
    start = time.monotonic()
    with pytest.raises(JaxdreamError, match="no answer"):
        file_size(RECORD, timeout=0.2)
    assert time.monotonic() - start < 2
    hold.set()


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        ((404, "EntryNotFound"), "has no zoo/small/small.safetensors"),
        ((401, "RepoNotFound"), "token"),
        ((403, "GatedRepo"), "token"),
        ((500, ""), "error 500"),
    ],
)
def test_a_refusal_is_one_line_with_the_ways_out(hub, failure, says):
    hub.failure = failure
    with pytest.raises(Unavailable) as error:
        file_size(RECORD)
    line = str(error.value)
    assert "\n" not in line
    for part in (says, "--model googlenet_mini", "--weights PATH", "HF_ENDPOINT"):
        assert part in line
    assert says in error.value.short


@pytest.mark.usefixtures("home")
def test_no_hub_is_one_line():
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9") as error:
        file_size(RECORD)
    assert "\n" not in str(error.value)
    assert error.value.short == "no connection to a hub"


def test_a_login_page_is_not_a_hub(hub):
    hub.is_hub = False
    with pytest.raises(JaxdreamError, match="not a hub"):
        file_size(RECORD)


def test_a_download_is_announced_before_it_begins(hub):
    lines = []

    def notify(line: str) -> None:
        assert not any(request.startswith("GET /zoo") for request in hub.requests)
        lines.append(line)

    path = download(RECORD, notify)
    assert path.read_bytes() == hub.content
    (line,) = lines
    assert all(part in line for part in ("MB", "zoo/small", hub.url, RECORD.licence))


@pytest.mark.parametrize("pauses", [[5.0], [0.02] * 200], ids=["hangs", "trickles"])
def test_a_download_that_hardly_moves_is_given_up(hub, monkeypatch, pauses):
    monkeypatch.setattr("jaxdream.models.weights.hub.PATIENCE", 0.5)
    hub.pauses = pauses
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"sent \d+ bytes in 0\.5 s") as error:
        download(RECORD, lambda _: None)
    assert error.value.short == "the download hangs"
    assert time.monotonic() - begun < 4


def test_a_body_that_does_not_end_is_given_up(hub):
    hub.size = 1000
    with pytest.raises(Unavailable, match=r"sends more than the file|size"):
        download(RECORD, lambda _: None)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:99999", "http://[::1", "nonsense", "file:///etc", "http://\x1b"]
)
def test_an_endpoint_that_is_no_address_is_one_line(environment, endpoint):
    environment = environment | {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", FETCH], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("no weights for googlenet: ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.usefixtures("hub")
def test_a_full_disk_is_one_line(monkeypatch):
    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "/a/file")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fill)
    with pytest.raises(JaxdreamError, match="No space left on device; use the bundled"):
        download(RECORD, lambda _: None)


def test_the_hash_in_the_caches_name_proves_a_download(hub):
    path = download(RECORD, lambda _: None)
    assert check_download(RECORD, path)
    path.resolve().write_bytes(hub.content[:-1])
    with pytest.raises(JaxdreamError, match="is damaged"):
        check_download(RECORD, path)
    assert not path.exists()


@pytest.mark.parametrize("etag", ["../../../../victim", "/etc/passwd", ".."])
def test_an_etag_that_is_a_path_is_refused(hub, home, etag):
    (home / "victim").write_text("kept")
    hub.etag = etag
    with pytest.raises(JaxdreamError, match="invalid ETag"):
        download(RECORD, lambda _: None)
    assert not any(request.startswith("GET /zoo") for request in hub.requests)


def test_discard_removes_nothing_outside_the_cache(home):
    (home / "hub").mkdir()
    (home / "victim").write_text("kept")
    link = home / "hub" / "link"
    link.symlink_to(home / "victim")
    discard(link)
    assert not link.is_symlink()
    assert (home / "victim").read_text() == "kept"
