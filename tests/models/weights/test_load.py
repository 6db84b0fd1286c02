"""Where weights come from, against a small hub on 127.0.0.1."""

import errno
import hashlib
import json
import logging
import multiprocessing
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import load_file, save, save_file

from jaxdream.errors import JaxdreamError
from jaxdream.models.googlenet import googlenet
from jaxdream.models.weights import load as store
from jaxdream.models.weights import registry
from jaxdream.models.weights.hub import file_size

ROOT = Path(__file__).resolve().parents[3]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def small():
    """GoogLeNet with 8 or so channels a layer."""
    return googlenet(width=0.05, lrn=False)


BUNDLED = registry.record_of("googlenet_mini")
RECORD = replace(
    registry.record_of("googlenet"), build=small, repo="zoo/small", file="small.safetensors"
)
FILE_ONLY = replace(RECORD, model="mine", repo=None, file="mine.safetensors")


class Hub(ThreadingHTTPServer):
    """As much of the Hugging Face hub as a download asks for."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.content = content
        self.etag = hashlib.sha256(content).hexdigest()
        self.size = len(content)
        self.failure: tuple[int, str] | None = None
        self.is_hub = True
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class HubHandler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        hub = self.server
        assert isinstance(hub, Hub)
        hub.requests.append(f"{self.command} {self.path}")
        status, code = hub.failure or (200, "")
        if not self.path.startswith("/zoo/"):  # what else the library would like to know
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
            self.wfile.write(body)

    do_GET = do_HEAD

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    made = {}
    for scope, shape in small().kernel_shapes.items():
        made[f"{scope}/kernel"] = random.normal(0, 0.1, shape).astype(np.float32)
        made[f"{scope}/bias"] = random.normal(0, 0.1, shape[-1:]).astype(np.float32)
    return made


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """Empty caches, no hub, and the small network in GoogLeNet's place."""
    monkeypatch.setenv("JAXDREAM_CACHE", str(tmp_path / "jaxdream"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    use_endpoint(monkeypatch, "http://127.0.0.1:9")
    for module in (registry, store):
        monkeypatch.setattr(module, "RECORDS", (RECORD, BUNDLED, FILE_ONLY))
    return tmp_path


@pytest.fixture
def hub(arrays, monkeypatch):
    server = Hub(save(arrays))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    use_endpoint(monkeypatch, server.url)
    yield server
    server.shutdown()
    server.server_close()


def use_endpoint(monkeypatch, url: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def files(folder: Path) -> list[str]:
    """Every file below a folder, except what the hub's library keeps for itself."""
    return sorted(path.name for path in folder.rglob("*.safetensors*"))


def one_line(error: pytest.ExceptionInfo) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_download_is_announced_and_happens_once(hub, arrays):
    lines = []

    def notify(line: str) -> None:
        assert not any(request.startswith("GET /zoo") for request in hub.requests)
        lines.append(line)

    assert store.status(RECORD) == "downloadable"
    model = store.load_model("googlenet", notify=notify)
    assert len(lines) == 1
    assert all(part in lines[0] for part in ("MB", "zoo/small", hub.url, RECORD.licence))
    kernel = model.layers["conv1/7x7_s2"].kernel[...]
    assert np.array_equal(kernel, arrays["conv1/7x7_s2/kernel"])
    assert store.status(RECORD) == "cached"

    hub.requests.clear()
    again = store.load_model("googlenet", notify=notify)
    assert again.weights_sha256 == model.weights_sha256
    assert hub.requests == []
    assert len(lines) == 1


def test_a_file_in_the_hubs_cache_is_converted_without_a_request(hub, monkeypatch):
    from huggingface_hub import hf_hub_download

    hf_hub_download("zoo/small", "small.safetensors")
    hub.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert store.status(RECORD) == "cached"
    assert store.obtain(RECORD, notify=pytest.fail) == store.converted_path(RECORD)
    assert hub.requests == []


@pytest.mark.usefixtures("hub")
def test_the_default_model_is_the_classic_one():
    lines = []
    assert store.load_model(notify=lines.append).name == "googlenet"
    assert len(lines) == 2
    assert "dreaming with googlenet:" in lines[1]


def test_offline_the_default_model_is_the_bundled_one_at_once(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lines = []
    model = store.load_model(notify=lines.append)
    assert model.name == "googlenet_mini"
    assert hub.requests == []
    (line,) = lines
    assert all(part in line for part in ("googlenet_mini", "HF_HUB_OFFLINE", "--weights"))


@pytest.mark.usefixtures("hub")
def test_the_local_model_is_the_classic_one_once_it_is_here():
    assert store.local_model() == "googlenet_mini"
    store.obtain(RECORD, notify=lambda _: None)
    assert store.local_model() == "googlenet"


def test_a_model_is_read_from_a_file():
    path = store.bundled_path(BUNDLED.file)
    for name in ("auto", "googlenet_mini"):
        record, local = store.load_file(name, path, notify=pytest.fail)
        assert record is BUNDLED
        assert local.arrays["conv1/7x7_s2/kernel"].shape == (7, 7, 3, 64)


def test_the_hubs_library_is_imported_only_when_it_is_asked():
    code = "import sys; from jaxdream.models.weights.load import load_model; "
    code += "load_model('googlenet_mini'); "
    code += "sys.exit('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_hub_that_hangs_costs_five_seconds_at_most(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_endpoint(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        lines = []
        record, _ = store._load_auto(lines.append)
        assert time.monotonic() - start < 5
    assert record is BUNDLED
    assert len(lines) == 1


def test_a_name_lookup_that_hangs_is_left_behind(monkeypatch):
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
    with pytest.raises(JaxdreamError) as error:
        store.load_model("googlenet", notify=pytest.fail)
    line = one_line(error)
    for part in (says, "--model googlenet_mini", "--weights PATH", "HF_ENDPOINT"):
        assert part in line


def test_no_hub_is_one_line(home):
    with pytest.raises(JaxdreamError) as error:
        store.load_model("googlenet", notify=pytest.fail)
    assert "127.0.0.1:9" in one_line(error)
    assert files(home) == []


def test_a_login_page_is_not_a_hub(hub):
    hub.is_hub = False
    with pytest.raises(JaxdreamError, match="not a hub"):
        store.load_model("googlenet", notify=pytest.fail)


def damage(hub: Hub, kind: str) -> None:
    if kind == "short":
        hub.content = hub.content[:-100]
    elif kind == "wrong values":
        hub.content = hub.content[:-100] + bytes(100)
    elif kind == "not weights":
        hub.content = b"<html>" * 100
        hub.size, hub.etag = len(hub.content), "abc"  # nothing proves it wrong but its content


@pytest.mark.parametrize("kind", ["short", "wrong values", "not weights"])
def test_a_damaged_download_leaves_nothing(hub, home, kind):
    whole, size, etag = hub.content, hub.size, hub.etag
    damage(hub, kind)
    with pytest.raises(JaxdreamError) as error:
        store.load_model("googlenet", notify=lambda _: None)
    one_line(error)
    assert files(home) == []
    hub.content, hub.size, hub.etag = whole, size, etag
    assert store.load_model("googlenet", notify=lambda _: None).name == "googlenet"


@pytest.mark.usefixtures("hub")
def test_a_full_disk_is_one_line(monkeypatch):
    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "/a/file")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fill)
    with pytest.raises(JaxdreamError, match="No space left on device; use the bundled"):
        store.load_model("googlenet", notify=lambda _: None)


@pytest.mark.usefixtures("hub")
def test_a_hash_on_record_is_checked(home):
    record = replace(RECORD, sha256="00ff")
    with pytest.raises(JaxdreamError, match="damaged"):
        store.obtain(record, notify=lambda _: None)
    assert files(home) == []


def test_the_default_model_survives_a_failed_download(hub):
    damage(hub, "short")
    lines = []
    assert store.load_model(notify=lines.append).name == "googlenet_mini"
    assert len(lines) == 2


@pytest.mark.parametrize("kind", ["short", "flipped", "no note"])
def test_a_damaged_conversion_is_made_again(hub, arrays, kind):
    path = store.obtain(RECORD, notify=lambda _: None)
    whole = path.read_bytes()
    if kind == "short":
        path.write_bytes(whole[:-100])
    elif kind == "flipped":
        path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    else:
        path.with_suffix(".json").write_text("{")
    hub.requests.clear()
    remade = load_file(store.obtain(RECORD, notify=pytest.fail))
    assert all(np.array_equal(remade[name], array) for name, array in arrays.items())
    assert hub.requests == []  # the hub's own cache still has the source


@pytest.mark.usefixtures("hub")
def test_a_conversion_of_another_file_is_made_again():
    path = store.obtain(RECORD, notify=lambda _: None)
    note = path.with_suffix(".json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"source": "zoo/older"}))
    assert store.find(RECORD) != path
    assert store.obtain(RECORD, notify=pytest.fail) == path


@pytest.mark.usefixtures("hub")
def test_a_cache_that_cannot_be_written_does_not_stop_the_dream(home):
    (home / "jaxdream").write_text("a file in the way")
    lines = []
    assert store.load_model("googlenet", notify=lines.append).name == "googlenet"
    assert "cannot keep" in lines[1]


def obtain_in_another_process(url: str, home: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXDREAM_CACHE", str(home / "jaxdream"))
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        use_endpoint(patch, url)
        store.obtain(RECORD, notify=print)


def test_two_processes_at_once_agree(hub, home):
    spawn = multiprocessing.get_context("spawn")
    pair = [spawn.Process(target=obtain_in_another_process, args=(hub.url, home)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(20)
    assert [process.exitcode for process in pair] == [0, 0]
    assert store.obtain(RECORD, notify=pytest.fail) == store.converted_path(RECORD)
    kept = sorted(path.name for path in store.converted_path(RECORD).parent.iterdir())
    assert kept == ["googlenet.json", "googlenet.safetensors"]


def test_a_file_says_which_model_it_is():
    path = store.bundled_path(BUNDLED.file)
    by_file = store.load_model(weights=path, notify=pytest.fail)
    by_name = store.load_model("googlenet_mini", notify=pytest.fail)
    assert by_file.name == "googlenet_mini"
    assert by_file.weights_sha256 == by_name.weights_sha256


def test_a_file_that_is_not_what_its_name_says_is_used_with_a_note(arrays, home, monkeypatch):
    published = replace(FILE_ONLY, sha1="00")
    for module in (registry, store):
        monkeypatch.setattr(module, "RECORDS", (published,))
    save_file(arrays, home / "mine.safetensors")
    lines = []
    model = store.load_model("mine", weights=home / "mine.safetensors", notify=lines.append)
    assert model.name == "mine"
    assert len(lines) == 1
    assert "hash differs" in lines[0]


def test_a_file_is_recognised_by_its_hash(arrays, home, monkeypatch):
    path = home / "renamed.safetensors"
    save_file(arrays, path)
    known = replace(FILE_ONLY, sha256=hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    for module in (registry, store):
        monkeypatch.setattr(module, "RECORDS", (RECORD, known))
    assert store.load_model(weights=path, notify=pytest.fail).name == "mine"


def test_weights_of_another_network_are_refused():
    with pytest.raises(JaxdreamError) as error:
        store.load_model("googlenet", weights=store.bundled_path(BUNDLED.file))
    assert BUNDLED.file in one_line(error)


@pytest.mark.parametrize("path", ["missing.safetensors", "."])
def test_a_path_that_is_no_weight_file_is_refused(home, path):
    with pytest.raises(JaxdreamError) as error:
        store.load_model(weights=home / path)
    assert str(home) in one_line(error)


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(JaxdreamError, match="did you mean googlenet"):
        store.load_model("googlnet")


def test_a_model_without_a_source_asks_for_a_file():
    assert store.status(FILE_ONLY) == "file only"
    with pytest.raises(JaxdreamError, match="--weights PATH"):
        store.load_model("mine")


@pytest.mark.usefixtures("hub")
def test_from_python_the_lines_are_logged(caplog):
    with caplog.at_level(logging.WARNING, "jaxdream"):
        store.load_model("googlenet")
    assert "downloading small.safetensors" in caplog.text


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.delenv("JAXDREAM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert store.cache_dir() == Path("/somewhere/jaxdream")
    monkeypatch.setenv("JAXDREAM_CACHE", "/elsewhere")
    assert store.cache_dir() == Path("/elsewhere")
