"""What all tests share: type-checked annotations, the reference material, a tiny fake network."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from helpers import ROOT, read_until, without_progress
from jaxtyping import install_import_hook
from PIL import Image

# Read when huggingface_hub is imported: the tests have hubs of their own, on this machine.
os.environ.pop("HF_HUB_OFFLINE", None)
# A weight file that the user of this machine chose must not be used.
os.environ.pop("JAXDREAM_WEIGHTS", None)
os.environ["JAXDREAM_CONFIG"] = str(ROOT / "no configuration")

# The same examples in every run where they decide about a change.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


def pytest_configure(config):
    """One cache of compiled programs for all processes of this run, which inherit it."""
    if not hasattr(config, "workerinput"):
        cache = tempfile.mkdtemp(prefix="jaxdream-tests-")
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(cache, "tests"))
        # Of other processes; ``compile_quickly`` is for this one.
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
        # XLA's older way to make code of fusions: without optimisations three times as quick. Newer
        # versions have no such flag, and end the process where they do not know one.
        older = tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11)
        flag = " --xla_cpu_use_fusion_emitters=false" if older else ""
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + flag
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAXDREAM_TEST_CACHE"] = str(Path(cache, "command line"))
        config.add_cleanup(lambda: shutil.rmtree(cache, ignore_errors=True))


# Before the package is imported, so that every shape in a public annotation is checked.
install_import_hook("jaxdream", "beartype.beartype")


@pytest.fixture(autouse=True)
def compile_quickly(request):
    """Programs are compiled with few optimisations, since most are run a few times only."""
    import jax

    optimised = request.node.get_closest_marker("optimised") is not None
    jax.config.update("jax_disable_most_optimizations", not optimised)


@pytest.fixture
def jax_cache():
    """A test that changes where JAX keeps compiled programs: afterwards it is as before."""
    import jax

    names = (
        "jax_enable_compilation_cache",
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
    )
    before = {name: getattr(jax.config, name) for name in names}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the project: skipped without, but CI must have it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI needs the reference material in {folder}")
        pytest.skip(f"no reference material in {folder}")
    return folder


@pytest.fixture(scope="session")
def googlenet(shared):
    """The real GoogLeNet, from the caffemodel."""
    import jaxdream as jd

    return jd.load_model("googlenet", weights=shared / "weights" / "bvlc_googlenet.caffemodel")


@pytest.fixture(scope="session")
def tiny():
    """A network of three layers with random weights: quick to compile, sees 2 pixels or more."""
    from tiny_network import tiny_network

    return tiny_network()


@pytest.fixture
def picture() -> np.ndarray:
    """A small colourful picture, RGB, 0..255."""
    return np.random.default_rng(1).uniform(20, 235, (24, 30, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Of the command line as a process: no hub, and caches of the tests' own."""
    cache = tmp_path_factory.mktemp("cache")
    return os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(cache / "hf"),
        "JAXDREAM_CACHE": os.environ["JAXDREAM_TEST_CACHE"],
        "JAX_PLATFORMS": "cpu",
    }


@pytest.fixture(scope="session")
def run_in(environment):
    """Runs the command line in a folder, in a process of its own, to its end.

    Of what it said, the lines of how far it was are left out.
    """

    def run_in(folder, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "jaxdream", *map(str, arguments)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        done.stderr = without_progress(done.stderr)
        return done

    return run_in


@pytest.fixture
def run(run_in, tmp_path):
    """Runs the command line in the test's folder; it must end with ``code`` and no traceback."""

    def run(*arguments, code=0):
        done = run_in(tmp_path, *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def interrupt(environment, tmp_path):
    """Runs the command line on a terminal and presses Ctrl-C once that shows ``after``.

    Gives the exit code, and what the terminal showed before and afterwards.
    """

    def interrupt(*arguments, after):
        # Where the tests run in the background, Ctrl-C is ignored, and programs inherit that.
        start = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from jaxdream.cli.start import main; main()"
        )
        terminal, other_end = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-c", start, *map(str, arguments)],
            cwd=tmp_path,
            env=environment | {"TERM": "xterm", "COLUMNS": "200"},
            stderr=other_end,
            stdout=subprocess.DEVNULL,
        ) as process:
            os.close(other_end)
            try:
                progress = read_until(terminal, after, 120)
                process.send_signal(signal.SIGINT)
                # To its end: a program whose terminal nobody reads would wait for ever.
                said = read_until(terminal, "\0", 120)
                code = process.wait(60)
            finally:
                process.kill()
        os.close(terminal)
        return code, progress, said

    return interrupt


@pytest.fixture
def photo(tmp_path):
    """A small picture file."""
    path = tmp_path / "photo.png"
    y, x = np.mgrid[:60, :72]
    pixels = np.stack([3 * x, 4 * y, 128 + 60 * np.sin((x + y) / 5)], -1)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def contents():
    """The files of a folder with their bytes, without those that are hidden."""

    def contents(path):
        return {
            file.relative_to(path).as_posix(): file.read_bytes()
            for file in sorted(path.rglob("*"))
            if file.is_file() and not file.name.startswith(".")
        }

    return contents
