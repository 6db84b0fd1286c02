"""``jaxdream layers``, ``models``, ``classes`` and ``weights``, called in this process."""

import os
from pathlib import Path

import pytest
from helpers import ROOT
from safetensors.numpy import load_file, save_file

from jaxdream.cli.main import run
from jaxdream.models.weights.default_file import default_file

BUNDLED = ROOT / "weights" / "googlenet_mini.safetensors"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A folder to work in, with empty caches and configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAXDREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JAXDREAM_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.fixture
def command(capsys):
    """Runs a command; gives its output and its lines on stderr."""

    def command(*arguments, code=0):
        ended = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert ended == code, err
        return out, err.splitlines()

    return command


def test_layers_of_a_network(command):
    lines = command("layers", "--model", "GoogLeNet")[0].splitlines()
    row = next(line for line in lines if "inception_4c/output" in line)
    assert row.split() == ["**", "inception_4c/output", "512", "16", "299x299"]
    assert len(lines) == 2 + 143
    assert "mixed_4" in command("layers", "--model", "inception_v3")[0]


def test_layers_of_a_weight_file(command):
    assert command("layers", "--weights", BUNDLED)[0].startswith("googlenet_mini: ")
    _, (line,) = command("layers", "--weights", "none.onnx", code=2)
    assert "none.onnx: no such file" in line


def test_layers_of_the_default_network(command):
    assert command("layers")[0].startswith("googlenet_mini: ")


def test_models(command, home):
    out, _ = command("models")
    for name in ("googlenet_mini", "inception_v3_gluon", "onnxmodelzoo/googlenet-3", "Apache-2.0"):
        assert name in out
    assert f"converted files: {home / 'cache' / 'weights'}" in out
    assert f"downloaded files: {home / 'hub'}" in out
    assert "used if no --weights" not in out


def test_classes_of_a_word(command):
    lines = command("classes", "Dog")[0].splitlines()
    assert "153  n02085936  Maltese dog, Maltese terrier, Maltese" in lines
    assert all("dog" in line.lower() for line in lines)
    assert len(command("classes", "maltese_dog")[0].splitlines()) == 1


def test_classes_of_a_network(command):
    assert command("classes", "temple", "--model", "googlenet_places365")[0] == "330  temple/asia\n"
    _, (line,) = command("classes", "--model", "googlenet_places205", code=2)
    assert "205 classes of its own" in line


def test_all_classes(command):
    lines = command("classes")[0].splitlines()
    assert len(lines) == 1000
    assert lines[0].startswith("  0  n01440764  tench")


def test_a_word_in_no_class(command):
    _, (line,) = command("classes", "dreamdog", code=2)
    assert "no class has 'dreamdog' in its names" in line


def test_convert_and_verify(command):
    command("weights", "convert", BUNDLED, "copy.safetensors")
    copied, notes = command("weights", "verify", "copy.safetensors")
    assert copied.startswith("copy.safetensors is sound: googlenet_mini, 3,")
    assert notes == []
    assert copied.split()[-1] == command("weights", "verify", BUNDLED)[0].split()[-1]
    _, (line,) = command("weights", "convert", BUNDLED, "copy.onnx", code=2)
    assert "a name that ends in .safetensors" in line
    _, (line,) = command("weights", "convert", "copy.safetensors", "copy.safetensors", code=2)
    assert "the input" in line


def test_verify_tells_that_a_file_differs_from_the_published_one(command):
    save_file(load_file(BUNDLED), BUNDLED.name)
    out, (note,) = command("weights", "verify", BUNDLED.name)
    assert "is sound" in out
    assert "not the published file" in note


@pytest.mark.parametrize("damage", ["cut", "flipped bit"])
def test_verify_refuses_a_damaged_file(command, home, damage):
    whole = BUNDLED.read_bytes()
    flipped = whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:]
    (home / "bad.safetensors").write_bytes(whole[:-1000] if damage == "cut" else flipped)
    out, (line,) = command("weights", "verify", "bad.safetensors", code=2)
    assert out == ""
    assert "bad.safetensors is" in line
    assert "damaged" in line


def test_use_remembers_a_file(command, home, monkeypatch):
    (home / "mine.safetensors").write_bytes(BUNDLED.read_bytes())
    out, notes = command("weights", "use", "mine.safetensors")
    assert out.startswith("using mine.safetensors from now on: googlenet_mini, ")
    assert notes == []
    assert f"{home / 'mine.safetensors'} (named by jaxdream weights use)" in command("models")[0]
    monkeypatch.chdir("/")
    assert command("layers")[0].startswith("googlenet_mini: ")
    assert command("weights", "use", "--forget")[0] == "forgot the weight file\n"
    assert default_file() is None
    assert command("weights", "use", "--forget")[0] == "no weight file to forget\n"


def test_use_tells_that_the_environment_wins(command, monkeypatch):
    monkeypatch.setenv("JAXDREAM_WEIGHTS", "other.onnx")
    _, (note,) = command("weights", "use", BUNDLED)
    assert "JAXDREAM_WEIGHTS is set and wins: other.onnx is used" in note
    assert "other.onnx (named by JAXDREAM_WEIGHTS)" in command("models")[0]


@pytest.mark.parametrize("arguments", [[], ["net.onnx", "--forget"]])
def test_use_needs_a_file_or_forget(command, arguments):
    _, (line,) = command("weights", "use", *arguments, code=2)
    assert "either a weight file or --forget" in line


def test_use_remembers_no_bad_file(command, home):
    (home / "bad.onnx").write_bytes(os.urandom(100))
    command("weights", "use", "bad.onnx", code=2)
    assert default_file() is None
