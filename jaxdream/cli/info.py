"""``jaxdream info``, and the report of an error in jaxdream itself."""

import argparse
import os
import platform
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdream.cli import session
from jaxdream.files.reading import printable, reason
from jaxdream.files.version import jaxdream_version

if TYPE_CHECKING:
    from jaxdream.types import Device

_PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "numpy", "pillow", "huggingface-hub", "av",
    "opencv-python-headless", "gradio", "ray", "umap-learn",
)  # fmt: skip
_VARIABLES = ("JAX_", "XLA_", "JAXDREAM_", "HF_ENDPOINT", "HF_HOME", "HF_HUB_", "CUDA_", "TPU_")


def show_info(options: argparse.Namespace) -> int:
    del options
    for line in info_lines():
        session.report(line)
    return 0


def info_lines() -> Iterator[str]:
    """What differs between machines: versions, devices, memory, caches, variables."""
    yield f"Python {platform.python_version()} on {platform.platform()}"
    others = (f"{name} {_version(name)}" for name in _PACKAGES)
    yield ", ".join([f"jaxdream {jaxdream_version()}", *others])
    for what, describe in (
        ("devices", _devices),
        ("memory", _memory),
        ("networks", _networks),
        ("cache", _cache),
        ("compiled programs", _programs),
        ("precision auto", _precision),
    ):
        try:
            yield f"{what}: {describe()}"
        except Exception as error:  # a report must not fail on what it reports
            yield f"{what}: {type(error).__name__}: {reason(error)}"
    for name in sorted(os.environ):
        if name.startswith(_VARIABLES) and "TOKEN" not in name:
            yield f"{name}={printable(os.environ[name])}"


def write_report(error: Exception) -> str:
    """Write what is needed to find the cause of an error; a line that says what and where."""
    what = f"{type(error).__name__}: {reason(error)}"
    lines = [f"arguments: {sys.argv[1:]!r}", *info_lines()]
    text = "".join([*traceback.format_exception(error), "\n", "\n".join(lines), "\n"])
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="jaxdream-error-", suffix=".txt", delete=False, encoding="utf-8",
            errors="backslashreplace",
        ) as file:  # fmt: skip
            file.write(text)
    except OSError as cause:
        return f"{what} (no report can be written: {reason(cause)})"
    return f"{what}; please report it with {file.name}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _devices() -> str:
    import jax

    return described_devices(jax.devices())


def described_devices(devices: "Sequence[Device]") -> str:
    """Each kind of device once, with how many there are: ``4 x gpu NVIDIA A100``."""
    # A processor has no name of its own: its kind is "cpu" again.
    names = Counter(" ".join(dict.fromkeys((d.platform, d.device_kind))) for d in devices)
    return ", ".join(name if n == 1 else f"{n} x {name}" for name, n in names.items())


def _memory() -> str:
    import psutil

    from jaxdream.execution.memory import format_bytes

    memory = psutil.virtual_memory()
    return f"{format_bytes(memory.available)} of {format_bytes(memory.total)} are free"


def _networks() -> str:
    from jaxdream.models.weights.local import status
    from jaxdream.models.weights.registry import RECORDS

    return ", ".join(f"{record.model} {status(record)}" for record in RECORDS)


def _programs() -> str:
    from jaxdream.execution.compile_cache import programs_folder

    return _folder(programs_folder())


def _precision() -> str:
    from jaxdream.models.precision import resolve_precision

    return resolve_precision("auto")


def _cache() -> str:
    from jaxdream.models.weights.local import cache_dir

    return _folder(cache_dir())


def _folder(folder: Path) -> str:
    from jaxdream.execution.memory import format_bytes

    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{folder}, {format_bytes(size)}"
