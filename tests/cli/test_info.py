import re
from pathlib import Path
from types import SimpleNamespace

import jaxdream.cli.main as main_module
from jaxdream.cli.info import described_devices


def test_versions_devices_memory_and_caches_are_shown(cli, monkeypatch, environment):
    monkeypatch.setenv("JAX_ODD\x1bNAME", "x\x1b[2J")
    monkeypatch.setenv("HF_HUB_TOKEN", "secret")
    text = cli("info").stdout
    for part in ("Python 3.", "jaxdream 0.", "jaxlib ", "devices: cpu\n", "are free", "bundled"):
        assert part in text
    assert f"cache: {environment['JAXDREAM_CACHE']}" in text
    assert "\x1b" not in text
    assert "secret" not in text


def test_devices_of_one_kind_are_counted():
    processor = SimpleNamespace(platform="cpu", device_kind="cpu")
    accelerator = SimpleNamespace(platform="gpu", device_kind="NVIDIA A100")
    assert described_devices([processor]) == "cpu"
    several = [*[accelerator] * 4, processor]
    assert described_devices(several) == "4 x gpu NVIDIA A100, cpu"


def test_an_error_of_our_own_is_one_line_that_names_a_report(capsys, monkeypatch, tmp_path):
    def broken(_):
        raise ZeroDivisionError("a mistake\nof two lines\x1b[2J")

    monkeypatch.setattr(main_module, "_run", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main_module.run(["models"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    found = re.fullmatch(
        r"jaxdream: an error in jaxdream itself: ZeroDivisionError: a mistake; please report it "
        r"with (.*)\n",
        said,
    )
    assert found, said
    report = Path(found[1]).read_text()
    assert "Traceback (most recent call last)" in report
    assert "jaxlib " in report


def test_where_no_report_can_be_written_it_says_so(capsys, monkeypatch):
    def broken(_):
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(main_module, "_run", broken)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    assert main_module.run(["models"]) == 1
    assert "no report can be written: No such file or directory" in capsys.readouterr().err


def test_too_little_memory_is_bad_input(capsys, monkeypatch):
    def hungry(_):
        raise MemoryError

    monkeypatch.setattr(main_module, "_run", hungry)
    assert main_module.run(["models"]) == 2
    assert capsys.readouterr().err.startswith("jaxdream: not enough memory")
