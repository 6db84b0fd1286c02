"""The process of the command line: signals at any moment, closed streams, other people's lines."""

import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

# Says when it can be interrupted: before that, it is the interpreter's own start. Where the tests
# run in the background, Ctrl-C is ignored, and programs inherit that.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from jaxdream.cli import start; start.exit_on_signals(); print('ready', flush=True); "
    "start.main()"
)
QUICK = ["--model", "googlenet_mini", "--layer", "conv1/7x7_s2", "--steps", "1", "--octaves", "1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.5, 1.5])
def test_a_signal_is_one_line_from_the_first_moment_on(environment, photo, number, delay):
    with subprocess.Popen(
        [sys.executable, "-c", START, "zoom", photo, "-o", "frames", "--frames", "200", *QUICK],
        cwd=photo.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    lines = errors.decode().splitlines()
    assert process.returncode == 130, errors
    assert all(line.startswith("jaxdream: ") for line in lines), errors
    assert sum("interrupted" in line for line in lines) == 1
    assert not list(photo.parent.rglob(".*.png.*"))


# An interruption that comes while a module makes a dataclass.
IN_EXECUTED_SOURCE = """
import jaxdream.cli.main as main_module
from jaxdream.cli.start import main

def interrupted(_):
    exec("raise KeyboardInterrupt")

main_module._run = interrupted
main()
"""


def test_an_interruption_that_was_caught_is_an_exit_code_and_no_signal(environment, tmp_path):
    (tmp_path / "program.py").write_text(IN_EXECUTED_SOURCE)
    done = subprocess.run(
        [sys.executable, "-m", "program"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, b"jaxdream: interrupted\n")


@pytest.mark.parametrize(
    ("command", "code"),
    [("classes terrier >&-", 0), ("classes terrier 2>&-", 0), ("dream none.png 2>&- >&-", 2)],
)
def test_closed_streams_are_no_traceback(environment, tmp_path, command, code):
    done = subprocess.run(
        f'"{sys.executable}" -m jaxdream {command}',
        shell=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_lines_of_other_libraries_are_not_shown(run, tmp_path):
    image = Image.effect_noise((200, 200), 80)
    image.save(tmp_path / "odd.tif", compression="tiff_lzw")
    content = bytearray((tmp_path / "odd.tif").read_bytes())
    content[200:4000] = bytes(3800)  # of which libtiff says more than we do
    (tmp_path / "odd.tif").write_bytes(content)
    done = run("dream", "odd.tif", *QUICK, code=2)
    assert done.stderr.startswith("jaxdream: odd.tif is damaged or cut short")
    assert done.stderr.count("\n") == 1


LATE = """
import os, signal, sys
from jaxdream.cli import start

class Late:
    def __del__(self, kill=os.kill, this=os.getpid(), number=signal.SIGTERM):
        kill(this, number)

late = Late()
sys.argv = ["jaxdream", "--version"]
start.main()
"""


def test_a_signal_while_python_ends_changes_nothing(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LATE], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("jaxdream ")


# What a library, and a thread of it, do at the end of a process.
AT_THE_END = """
import atexit, threading, time
import jaxdream.cli.main as main_module
from jaxdream.cli.start import main

def later():
    time.sleep(0.2)
    print("a thread")

def run(_):
    atexit.register(print, "a library")
    threading.Thread(target=later).start()
    return 3

main_module.run = run
main()
"""


def test_threads_and_libraries_end_before_the_process_does(environment, tmp_path):
    (tmp_path / "program.py").write_text(AT_THE_END)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "a thread\na library\n", "")
