"""Every exit code, of the command line as a process."""

import os
import signal
import subprocess
import sys

import pytest

from jaxdream.cli import exit_codes
from jaxdream.cli.exit_codes import BAD_INPUT, DONE, FAILED, INTERRUPTED, MEANINGS, SOME_FAILED

QUICK = ["--model", "googlenet_mini", "--layer", "conv1/7x7_s2", "--steps", "1", "--octaves", "1"]
# Says when it can be interrupted: before that, it is the interpreter's own start. Where the tests
# run in the background, Ctrl-C is ignored, and programs inherit that.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from jaxdream.cli import start; start.exit_on_signals(); print('ready', flush=True); "
    "start.main()"
)


def _done(run):
    return run("classes", "terrier")


def _nothing_takes_its_output(run):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return run("classes", "terrier", stdout=writer)
    finally:
        os.close(writer)


def _bad_input(run):
    return run("dream", "none.png")


def _one_of_two_pictures_is_broken(run):
    return run("batch", "photo.png", "broken.png", "-o", "out", *QUICK)


CASES = {
    DONE: _done,
    FAILED: _nothing_takes_its_output,
    BAD_INPUT: _bad_input,
    SOME_FAILED: _one_of_two_pictures_is_broken,
}


@pytest.mark.parametrize("code", CASES)
def test_a_process_ends_with_it(environment, photo, code):
    (photo.parent / "broken.png").write_bytes(photo.read_bytes()[:200])

    def run(*arguments, stdout=subprocess.PIPE):
        return subprocess.run(
            [sys.executable, "-m", "jaxdream", *arguments],
            cwd=photo.parent,
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    done = CASES[code](run)
    assert done.returncode == code, done.stderr
    assert all(line.startswith("jaxdream: ") for line in done.stderr.splitlines())
    assert bool(done.stderr) == (code in (BAD_INPUT, SOME_FAILED))


def test_a_process_that_is_interrupted(environment, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", START, "info"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (INTERRUPTED, "jaxdream: interrupted\n")


def test_these_are_all_and_each_has_a_meaning():
    codes = {value for name, value in vars(exit_codes).items() if isinstance(value, int)}
    assert codes == {*CASES, INTERRUPTED} == set(MEANINGS) == {0, 1, 2, 3, 130}
