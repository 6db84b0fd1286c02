"""The command line called in this process: to start another one takes seconds."""

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from helpers import ROOT, without_progress
from PIL import Image

OWN_NETWORK = f"""
import sys
sys.path.append({str(ROOT / "tests")!r})
from tiny_network import tiny_network as net
"""


class Done(NamedTuple):
    """What a command line printed, without the lines of how far it was."""

    stdout: str
    stderr: str

    @property
    def notes(self) -> list[str]:
        """The lines beside the result."""
        return self.stderr.splitlines()


@pytest.fixture
def cli(environment, tmp_path, monkeypatch, capsys):
    """Runs a command line in the test's folder; it must end with ``code``."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    from jaxdream.cli.main import run

    monkeypatch.chdir(tmp_path)
    for name in ("HF_HUB_OFFLINE", "HF_HOME", "JAXDREAM_CACHE"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "no hub"))
    # What a command line changes of its process, which is here the tests' own.
    monkeypatch.setattr("jaxdream.execution.malloc.return_large_blocks", lambda: None)
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs",
             "jax_platforms", "jax_enable_compilation_cache")  # fmt: skip
    before = {name: getattr(jax.config, name) for name in names}
    compilation_cache.reset_cache()

    def cli(*arguments, code=0):
        capsys.readouterr()
        ended = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        done = Done(printed.out, without_progress(printed.err))
        assert ended == code, done.stderr
        return done

    yield cli
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture
def corpus(tmp_path):
    """The test's folder with a picture to dream and all kinds of files that are none."""
    noise = np.random.default_rng(3).integers(0, 255, (48, 64, 3), np.uint8)
    for name in ("photo.png", "guide.png", "photo_dream_00002.png", "move.gif"):
        Image.fromarray(noise).save(tmp_path / name)
    Image.fromarray(noise[:5, :5]).save(tmp_path / "small.png")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "photo.png")
    (tmp_path / "link.png").symlink_to("photo.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:1500])
    for name, content in {
        "empty.png": b"", "text.jpg": b"not a picture", "text": b"", "text.gif.frames": b"",
        "bad.safetensors": b"nonsense", "list.txt": b"photo.png\n",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("folder", "other", "in", "frames", "mine"):
        (tmp_path / name).mkdir()
    for name in ("in/a.png", "other/a.png", "other/a.gif", "frames/0001.png"):
        Image.fromarray(noise).save(tmp_path / name)
    (tmp_path / "mine" / "zoom.json").write_text('{"steps": "of my dance"}')
    return tmp_path


@pytest.fixture
def refused(cli, corpus):
    """Runs a command line in ``corpus`` that must be refused; gives the line that says why.

    It ends with exit code 2 after one line, and no file is made or changed.
    """

    def refused(command):
        arguments = shlex.split(command) if isinstance(command, str) else command
        before = contents(corpus)
        done = cli(*arguments, code=2)
        assert done.stdout == ""
        (line,) = done.notes
        assert line.startswith("jaxdream: ")
        assert line.isprintable()
        assert contents(corpus) == before
        return line.removeprefix("jaxdream: ")

    return refused


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder, with the bytes of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def press_ctrl_c(monkeypatch):
    """Presses Ctrl-C as the progress is shown for the n-th time."""
    from jaxdream.cli.session import Running

    def press_ctrl_c(at):
        show, shown = Running.show, []

        def pressing(self, text, done):
            show(self, text, done)
            shown.append(text)
            if len(shown) == at:
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Running, "show", pressing)
        return shown

    # Where the tests run in the background, Ctrl-C is ignored, and programs inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield press_ctrl_c
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def walk(tmp_path_factory):
    """A video of five frames at uneven times, with sound."""
    from cli.video_runs import STAMPS
    from video.films import film, moving

    path = tmp_path_factory.mktemp("walk") / "walk.mp4"
    return film(path, moving(5), stamps=STAMPS, sounds=["aac"])


@pytest.fixture(scope="session")
def dream(walk):
    """Its dream."""
    from cli.video_runs import dreamed

    return dreamed(walk)


@pytest.fixture(scope="session")
def two_scenes(tmp_path_factory):
    """A video of two scenes, of three frames and of four."""
    from video.films import film, moving

    frames = [*moving(7)]
    frames[3:] = [255 - frame[:, ::-1] for frame in frames[3:]]
    return film(tmp_path_factory.mktemp("scenes") / "scenes.mp4", frames)


@pytest.fixture(scope="session")
def one_by_one(two_scenes):
    """The dream of its scenes, one after the other."""
    from cli.video_runs import dreamed

    return dreamed(two_scenes, cuts="3")


@pytest.fixture
def pictures_and_network(tmp_path):
    """Pictures in the folder in which commands run, and the user's module."""
    from jaxdream import write_image

    (tmp_path / "mine.py").write_text(OWN_NETWORK)
    (tmp_path / "in").mkdir()
    random = np.random.default_rng(0)
    for i in range(7):
        write_image(tmp_path / "in" / f"{i}.png", random.uniform(0, 255, (20, 20, 3)))
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    sys.modules.pop("mine", None)
