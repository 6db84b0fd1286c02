"""What the commands share: lines, folders, starting JAX, progress, warnings and Ctrl-C."""

import os
import pty
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import read_until
from PIL import Image

import jaxdream as jd
from jaxdream import JaxdreamError
from jaxdream.cli import session
from jaxdream.errors import JaxdreamWarning


def test_lines_have_no_control_characters(capsys):
    session.say("a\x1b[31m\nb")
    session.report("c\x07\udcefd")
    assert capsys.readouterr() == ("c??d\n", "jaxdream: a?[31m?b\n")


def test_results_are_beside_their_inputs():
    assert session.beside("in/a.b.jpg", "_dream.png") == Path("in/a.b_dream.png")
    for nothing in ("", ".", "/"):
        with pytest.raises(JaxdreamError, match="is not the name of a file"):
            session.beside(nothing, "_dream.png")


def test_a_folder_is_checked_and_not_made(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "new", tmp_path / "new" / "deeper"):
        session.check_folder(folder)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(JaxdreamError, match="file is a file: name a folder"):
            session.check_folder(folder)
    with pytest.raises(JaxdreamError, match="File name too long"):
        session.check_folder(tmp_path / ("x" * 256) / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_forbids_writing(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    with pytest.raises(JaxdreamError, match="Permission denied"):
        session.check_folder(tmp_path)


@pytest.mark.parametrize("command", ["dream photo.png", "filters", "visualize --class ant"])
def test_a_device_that_is_not_here(refused, command):
    line = refused(f"{command} --device tpu --model googlenet_mini")
    assert line == "no tpu here: this machine's JAX has cpu"


@pytest.mark.parametrize("error", [AssertionError(), RuntimeError("Unable to initialize")])
def test_a_platform_in_the_environment_that_is_not_here(refused, monkeypatch, error):
    import jax

    # Which JAX reads once in a process.
    failures, devices = [error], jax.devices

    def fail_first(*platform):
        if failures:
            raise failures.pop()
        return devices(*platform)

    monkeypatch.setenv("JAX_PLATFORMS", "bogus")
    monkeypatch.setattr(jax, "devices", fail_first)
    line = refused("dream photo.png --model googlenet_mini")
    assert line == "no JAX_PLATFORMS=bogus here: this machine's JAX has cpu"


def test_warnings_are_lines_each_once(capsys):
    with session.running("a.png") as run:
        for _ in range(2):
            warnings.warn("look at this", JaxdreamWarning, stacklevel=1)
            warnings.warn("of a library", UserWarning, stacklevel=1)
            run.show("step 1", 0.5)
        assert capsys.readouterr().err == (
            "jaxdream: a.png compiling\njaxdream: look at this\njaxdream: a.png step 1, 50%\n"
        )
        warnings.warn("at the end", JaxdreamWarning, stacklevel=1)
    assert capsys.readouterr().err == "jaxdream: at the end\n"
    assert not run.interrupted


def test_where_there_is_no_terminal_each_tenth_is_a_line(capsys):
    with session.running("a\x1b.png") as run:
        for step in range(1, 31):
            run.show(f"step {step}", step / 30)
    first, second, *tenths = capsys.readouterr().err.splitlines()
    assert first == "jaxdream: a?.png compiling"
    assert second == "jaxdream: a?.png step 1, 3%"
    assert tenths == [f"jaxdream: a?.png step {3 * n}, {10 * n}%" for n in range(1, 11)]


def test_what_begins_again_is_another_part(capsys):
    with session.running("out") as run:
        for text, done in (
            ("a", 0.5), ("a", 1.0), ("b", 0.01), ("b", 0.02), ("b", 0.6), ("c", 0.25), ("c", 0.5),
        ):  # fmt: skip
            run.show(text, done)
    _, *lines = capsys.readouterr().err.splitlines()
    said = [line.removeprefix("jaxdream: out ") for line in lines]
    assert said == ["a, 50%", "a, 100%", "b, 1%", "b, 60%", "c, 25%", "c, 50%"]


def test_what_has_no_known_end_is_told_each_minute(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(session.time, "monotonic", lambda: clock[0])
    with session.running("out") as run:
        for number in range(5):
            clock[0] += 25
            run.show(f"frame {number}", 0.0)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" frame ")[2] for line in lines[1:]] == ["0, 0%", "3, 0%"]


def test_ctrl_c_ends_the_block(capsys):
    with session.running("a.png") as run:
        warnings.warn("look at this", JaxdreamWarning, stacklevel=1)
        raise KeyboardInterrupt
    assert run.interrupted
    assert "look at this" in capsys.readouterr().err


def test_ctrl_c_does_not_stop_what_must_be_finished():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with session.uninterrupted():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


QUICK = ["--model", "googlenet_mini", "--layer", "conv1/7x7_s2", "--octaves", "1", "--steps", "1"]
DEEPER = ["--model", "googlenet_mini", "--octaves", "1", "--steps", "1"]  # compiles for longer


def test_a_second_process_compiles_nothing(environment, photo, tmp_path):
    cache = tmp_path / "cache"
    compiled = []
    for name in ("first.png", "second.png"):
        subprocess.run(
            [sys.executable, "-m", "jaxdream", "dream", photo, "-o", tmp_path / name, *DEEPER],
            env=environment | {"JAXDREAM_CACHE": str(cache)},
            capture_output=True,
            check=True,
        )
        compiled.append({path.name for path in (cache / "compiled").glob("*-cache")})
    assert len(compiled[0]) >= 1
    assert compiled[1] == compiled[0]
    first, second = (jd.read_image(tmp_path / name) for name in ("first.png", "second.png"))
    np.testing.assert_array_equal(first, second)


# Colours begin with the first, everything that moves a terminal's cursor with the second.
COLOUR, ESCAPE = re.compile(r"\x1b\[[\d;]*m"), "\x1b"


@pytest.mark.parametrize(
    ("terminal", "colours", "escapes"),
    [
        ({"TERM": "xterm-256color"}, True, True),
        # The bar moves in its line, but is not coloured.
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False, True),
        ({"TERM": "dumb"}, False, False),
        (None, False, False),  # a pipe
    ],
)
def test_the_words_are_the_same_without_colours(environment, photo, terminal, colours, escapes):
    environment = {k: v for k, v in environment.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "jaxdream", "dream", photo.name, *QUICK[2:]]
    if terminal is None:
        shown = subprocess.run(
            command, cwd=photo.parent, env=environment | {"NO_COLOR": "1"}, check=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ).stdout  # fmt: skip
    else:
        here, there = pty.openpty()
        with subprocess.Popen(
            command, cwd=photo.parent, env=environment | {"COLUMNS": "120"} | terminal,
            stdin=subprocess.DEVNULL, stdout=there, stderr=there,
        ) as process:  # fmt: skip
            os.close(there)
            shown = read_until(here, "\0", 120)
        os.close(here)
        assert process.returncode == 0, shown
    assert "step 1/1" in shown
    assert bool(COLOUR.search(shown)) == colours
    assert (ESCAPE in shown) == escapes
    lines = re.split(r"[\r\n]+|\x1b\[[\d;?]*[A-Za-z]", shown)
    assert "wrote photo_dream.png" in lines
    notice, *progress = (line for line in lines if line.startswith("jaxdream: "))
    assert notice == "jaxdream: using the bundled network googlenet_mini (HF_HUB_OFFLINE is set)"
    if not escapes:  # no bar that moves
        begun, done = progress
        assert begun == "jaxdream: photo_dream.png compiling"
        assert re.fullmatch(r"jaxdream: photo_dream\.png octave 1/1 step 1/1 value \S+, 100%", done)
    else:
        assert progress == []


# Runs a command line, and prints the most that the process had in memory, in kB.
MEASURED = """
import sys
from jaxdream.cli.start import main
try:
    main()
finally:
    (peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(peak.split()[1], file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only there a process knows its peak")
def test_memory_is_not_more_than_the_limit(environment, tmp_path):
    y, x = np.mgrid[:2200, :2200]
    Image.fromarray(np.stack([x, y, x + y], -1).astype(np.uint8)).save(tmp_path / "large.png")
    # Without a limit it takes 1,400 MB.
    limit = 800
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "dream", "large.png", *QUICK, "--memory", f"{limit}MB"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "wrote large_dream.png\n"
    assert int(done.stderr.splitlines()[-1]) * 1024 < limit * 1e6
    assert jd.read_image(tmp_path / "large_dream.png").shape == (2200, 2200, 3)
