"""``load_model``: which weights it chooses, and what it downloads."""

import inspect
import logging
import multiprocessing
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from child_processes import fetch_small_network
from helpers import ROOT
from safetensors.numpy import load_file, save_file
from small_hub import (
    BUNDLED,
    FILE_ONLY,
    RECORD,
    small_weights,
    use_endpoint,
)

from jaxdream.errors import JaxdreamError
from jaxdream.models.weights import default_file, local
from jaxdream.models.weights.hub import downloaded
from jaxdream.models.weights.load import fetch, find_record, load_model

pytestmark = pytest.mark.usefixtures("home")


def obtain(notify=lambda _: None):
    return fetch(RECORD, download=True, notify=notify).path


@pytest.fixture
def small_file(home) -> Path:
    """A file of the user's own that holds the small GoogLeNet."""
    path = home / "small.safetensors"
    save_file(small_weights(), path)
    return path


def files(folder: Path) -> list[str]:
    """Every weight file below a folder."""
    return sorted(path.name for path in folder.rglob("*.safetensors*"))


def test_a_named_model_is_downloaded_once(hub):
    lines = []
    model = load_model("GoogLeNet", notify=lines.append)
    (line,) = lines
    assert line.startswith("downloading small.safetensors")
    kernel = model.params["conv1/7x7_s2"].kernel[...]
    np.testing.assert_array_equal(kernel, small_weights()["conv1/7x7_s2/kernel"])
    assert local.status(RECORD) == "cached"

    hub.requests.clear()
    again = load_model("googlenet", notify=pytest.fail)
    assert again.weights_sha256 == model.weights_sha256
    assert hub.requests == []


def test_a_file_in_the_hubs_cache_is_converted_without_a_request(hub, monkeypatch):
    from huggingface_hub import hf_hub_download

    hf_hub_download("zoo/small", "small.safetensors")
    hub.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert local.status(RECORD) == "cached"
    lines = []
    assert load_model(notify=lines.append).name == "googlenet"
    assert lines == ["using googlenet"]
    assert local.read_converted(RECORD)
    assert hub.requests == []


def test_auto_does_not_download_unasked(hub):
    lines = []
    assert load_model(notify=lines.append).name == "googlenet_mini"
    assert lines == ["using the bundled network googlenet_mini"]
    assert hub.requests == []


@pytest.mark.usefixtures("hub")
def test_auto_downloads_the_classic_network_if_it_may():
    lines = []
    assert load_model(download=True, notify=lines.append).name == "googlenet"
    assert len(lines) == 2
    assert lines[1] == "using googlenet"


@pytest.mark.usefixtures("hub")
def test_auto_takes_the_classic_network_once_it_is_on_the_machine():
    assert find_record() is BUNDLED
    obtain()
    assert find_record() is RECORD
    assert load_model(notify=lambda _: None).name == "googlenet"


def test_offline_auto_is_the_bundled_network(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lines = []
    assert load_model(download=True, notify=lines.append).name == "googlenet_mini"
    assert lines == ["using the bundled network googlenet_mini (HF_HUB_OFFLINE is set)"]
    assert hub.requests == []


def test_a_hub_that_hangs_costs_five_seconds_at_most(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_endpoint(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        lines = []
        assert load_model(download=True, notify=lines.append).name == "googlenet_mini"
        assert time.monotonic() - start < 5
    assert lines == ["using the bundled network googlenet_mini (no connection to a hub)"]


def test_auto_survives_a_failed_download(hub):
    hub.damage("short")
    lines = []
    assert load_model(download=True, notify=lines.append).name == "googlenet_mini"
    assert len(lines) == 2
    assert lines[1].startswith("using the bundled network googlenet_mini (")


@pytest.mark.usefixtures("hub")
def test_auto_without_downloads_survives_damaged_weights():
    obtain().write_bytes(b"damaged")
    path = downloaded(RECORD)
    assert path is not None
    path.resolve().write_bytes(b"damaged")
    lines = []
    assert load_model(notify=lines.append).name == "googlenet_mini"
    assert len(lines) == 1
    assert "damaged" in lines[0]


def test_no_hub_leaves_nothing(home):
    with pytest.raises(JaxdreamError, match=r"no weights for googlenet: .*127\.0\.0\.1:9"):
        load_model("googlenet", notify=pytest.fail)
    assert files(home) == []


@pytest.mark.parametrize("kind", ["short", "wrong values", "not weights"])
def test_a_damaged_download_leaves_nothing(hub, home, kind):
    whole, size, etag = hub.content, hub.size, hub.etag
    hub.damage(kind)
    with pytest.raises(JaxdreamError) as error:
        load_model("googlenet", notify=lambda _: None)
    assert "\n" not in str(error.value)
    assert files(home) == []
    hub.content, hub.size, hub.etag = whole, size, etag
    assert load_model("googlenet", notify=lambda _: None).name == "googlenet"


@pytest.mark.parametrize("kind", ["short", "no note"])
def test_a_damaged_conversion_is_made_again(hub, kind):
    path = obtain()
    if kind == "short":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.with_suffix(".json").write_text("{")
    hub.requests.clear()
    remade = load_file(obtain(pytest.fail))
    for name, array in small_weights().items():
        np.testing.assert_array_equal(remade[name], array)
    assert hub.requests == []  # the hub's own cache still has the source


@pytest.mark.usefixtures("hub")
def test_a_cache_that_cannot_be_written_does_not_stop_the_dream(home):
    (home / "jaxdream").write_text("a file in the way")
    lines = []
    assert load_model("googlenet", notify=lines.append).name == "googlenet"
    assert "cannot be kept" in lines[1]


def test_two_processes_at_once_agree(hub, home):
    spawn = multiprocessing.get_context("spawn")
    pair = [spawn.Process(target=fetch_small_network, args=(hub.url, home)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(60)
    assert [process.exitcode for process in pair] == [0, 0]
    kept = sorted(path.name for path in obtain(pytest.fail).parent.iterdir())
    assert kept == ["googlenet.json", "googlenet.safetensors"]


def test_the_hubs_library_is_imported_only_when_it_is_needed():
    code = "import sys; from jaxdream.models.weights.load import load_model; "
    code += "load_model('googlenet_mini'); "
    code += "sys.exit('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_file_and_its_name_give_the_same_model():
    path = local.bundled_path(BUNDLED.file)
    by_file = load_model(weights=path, notify=pytest.fail)
    by_name = load_model("googlenet_mini", notify=pytest.fail)
    assert by_file.name == "googlenet_mini"
    assert by_file.weights_sha256 == by_name.weights_sha256


def test_weights_of_another_network_are_refused():
    wrong = "has the weights of googlenet_mini, not of googlenet: give --model googlenet_mini, or"
    with pytest.raises(JaxdreamError, match=f"{BUNDLED.file} {wrong}"):
        load_model("googlenet", weights=local.bundled_path(BUNDLED.file))


def test_an_unknown_precision_is_refused():
    with pytest.raises(JaxdreamError, match="is float32, bfloat16, float16 or auto, not 'float64'"):
        # Without the type check of the tests.
        inspect.unwrap(load_model)("googlenet_mini", precision="float64")


def test_a_model_without_a_source_asks_for_a_file():
    with pytest.raises(JaxdreamError, match="--weights PATH or `jaxdream weights use PATH`"):
        load_model("mine")


@pytest.mark.usefixtures("hub")
def test_from_python_the_lines_are_logged_as_information(caplog):
    with caplog.at_level(logging.INFO, "jaxdream"):
        load_model("googlenet")
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert "downloading small.safetensors" in record.message


# The file to use if none is named.


@pytest.fixture(params=["environment", "remembered"])
def chosen(request, small_file, monkeypatch) -> Path:
    if request.param == "environment":
        monkeypatch.setenv("JAXDREAM_WEIGHTS", str(small_file))
    else:
        default_file.remember(small_file, "googlenet")
    return small_file


@pytest.mark.parametrize("name", ["auto", "googlenet"])
def test_a_chosen_file_is_used_for_the_model_it_holds(chosen, name):
    lines = []
    assert load_model(name, download=True, notify=lines.append).name == "googlenet"
    assert lines == [f"using googlenet from {chosen}"]
    assert find_record(name) is RECORD


@pytest.mark.usefixtures("chosen")
def test_a_chosen_file_of_another_model_is_not_used():
    assert load_model("googlenet_mini", notify=pytest.fail).name == "googlenet_mini"
    assert find_record("googlenet_mini") is BUNDLED


@pytest.mark.usefixtures("chosen")
def test_explicit_weights_win_over_a_chosen_file():
    path = local.bundled_path(BUNDLED.file)
    assert load_model(weights=path, notify=pytest.fail).name == "googlenet_mini"
    assert find_record(weights=path) is BUNDLED


def test_the_environment_wins_over_the_remembered_file(small_file, monkeypatch):
    default_file.remember(small_file, "googlenet")
    monkeypatch.setenv("JAXDREAM_WEIGHTS", str(local.bundled_path(BUNDLED.file)))
    assert load_model(notify=lambda _: None).name == "googlenet_mini"


def test_a_chosen_file_that_is_missing_is_an_error_that_says_who_named_it(chosen):
    chosen.unlink()
    with pytest.raises(JaxdreamError, match=r"no such file \(the file is named by ") as error:
        load_model(notify=pytest.fail)
    assert default_file.default_file().source in str(error.value)  # type: ignore[union-attr]


def test_a_remembered_file_is_not_needed_for_other_models(small_file):
    default_file.remember(small_file, "googlenet")
    small_file.unlink()
    assert load_model("googlenet_mini", notify=pytest.fail).name == "googlenet_mini"


def test_a_model_is_remembered_with_its_file(small_file):
    default_file.remember(small_file, FILE_ONLY.model)  # of two with the same layers, the second
    assert load_model(notify=lambda _: None).name == "mine"
