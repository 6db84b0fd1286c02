"""Plain functions that several test modules call."""

import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def photograph(height: int, width: int) -> np.ndarray:
    """A picture of noise, the same for the same size: RGB, 0..255, (h, w, 3)."""
    return np.random.default_rng(height * width).uniform(0, 255, (height, width, 3))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two pictures of 0..255, in dB."""
    return float(10 * np.log10(255**2 / max(np.mean((np.asarray(a) - np.asarray(b)) ** 2), 1e-12)))


def deprocess(model, x):
    """The picture (RGB, 0..255) that ``model.preprocess`` turns into ``x``."""
    seen = model.preprocessing
    image = np.asarray(x) * np.asarray(seen.scale, np.float32) + np.asarray(seen.mean, np.float32)
    return image[..., ::-1] if seen.order == "BGR" else image


def read_until(terminal: int, text: str, seconds: float) -> str:
    """What a terminal shows until it has shown ``text``, or until its program ends."""
    shown = ""
    deadline = time.monotonic() + seconds
    while text not in shown and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                shown += os.read(terminal, 4096).decode()
            except OSError:  # how Linux says that the other end is closed
                break
    return shown


def without_progress(stderr: str) -> str:
    """What a command line said, without the lines of how far it was."""
    return re.sub(r"^jaxdream: .*( compiling|, \d+%)\n", "", stderr, flags=re.MULTILINE)


def one_line(done):
    """The single line on stderr."""
    assert done.stderr.startswith("jaxdream: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@contextmanager
def compilations() -> Iterator[list[str]]:
    """Names of all programs that XLA is asked to compile in the block, however small."""
    import jax

    names: list[str] = []

    def note(event, _, **details):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(details["fun_name"])

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


def check_parts(model, objective, picture: np.ndarray) -> None:
    """Make sure that a local objective has the same value padded, and summed over two tiles.

    ``picture`` is 24 pixels high, and the objective reads layers of ``tiny_network``.
    """
    import jax
    import pytest

    from jaxdream.models.regions import Region

    assert objective.local
    expected = float(objective.value(model, picture))
    value_of = jax.jit(lambda image, region: objective.value(model, image, region=region))
    height, width, _ = picture.shape
    size, zero = np.array([height, width]), np.zeros(2, int)
    padded = np.pad(picture, ((0, 8), (0, 2), (0, 0)), constant_values=200)
    whole = Region(size, zero, zero, size)
    assert value_of(padded, whole) == pytest.approx(expected, rel=1e-5)
    upper = Region(size, zero, zero, np.array([12, width]))
    lower = Region(size, np.array([4, 0]), np.array([12, 0]), size)
    tiles = [(picture[:20], upper), (picture[4:], lower)]
    values = [float(value_of(*tile)) for tile in tiles]
    assert sum(values) == pytest.approx(expected, rel=1e-5)
    assert min(map(abs, values)) > 1e-3 * abs(expected)
