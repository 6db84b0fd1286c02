import json
from pathlib import Path

import pytest

from jaxdream import JaxdreamError
from jaxdream.models.weights.default_file import (
    COMMAND,
    DefaultFile,
    config_dir,
    default_file,
    forget,
    remember,
)

pytestmark = pytest.mark.usefixtures("home")


def test_without_a_choice_there_is_none():
    assert default_file() is None
    assert not forget()


def test_a_file_is_remembered_until_it_is_forgotten(home, monkeypatch):
    monkeypatch.chdir(home)
    remember(Path("net.onnx"), "googlenet")
    assert default_file() == DefaultFile(home / "net.onnx", "googlenet", COMMAND)
    remember(Path("other.onnx"), "inception_v3")
    assert default_file() == DefaultFile(home / "other.onnx", "inception_v3", COMMAND)
    assert [path.name for path in config_dir().iterdir()] == ["weights.json"]
    assert forget()
    assert default_file() is None


def test_the_environment_wins(monkeypatch):
    remember(Path("/net.onnx"), "googlenet")
    monkeypatch.setenv("JAXDREAM_WEIGHTS", "~/mine.onnx")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_file() == DefaultFile(Path("/home/me/mine.onnx"), None, "JAXDREAM_WEIGHTS")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"file": 3, "model": "m"}', b"[" * 100_000]
)
def test_a_damaged_memory_is_one_line(text):
    config_dir().mkdir()
    (config_dir() / "weights.json").write_bytes(text)
    with pytest.raises(JaxdreamError, match=r"weights\.json is damaged: run `jaxdream weights use"):
        default_file()
    assert forget()
    assert default_file() is None


def test_a_configuration_that_cannot_be_written_is_one_line(home):
    (home / "config").write_text("a file in the way")
    with pytest.raises(JaxdreamError, match="config"):
        remember(Path("net.onnx"), "googlenet")
    assert default_file() is None


def test_the_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("JAXDREAM_CONFIG", "/elsewhere")
    assert config_dir() == Path("/elsewhere")
    monkeypatch.delenv("JAXDREAM_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert config_dir() == Path("/somewhere/jaxdream")


def test_what_is_remembered_can_be_read_by_people(home):
    remember(home / "net.onnx", "googlenet")
    memory = json.loads((config_dir() / "weights.json").read_text())
    assert memory == {"file": str(home / "net.onnx"), "model": "googlenet"}
