"""The devices that can be described, and compiling for them where the compilers are."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from compilation.targets import TARGETS

needs_libtpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None,
    reason="no libtpu: pip install 'jax[tpu]' in a virtual environment of its own",
)
needs_cuda = pytest.mark.skipif(
    importlib.util.find_spec("jax_cuda12_plugin") is None,
    reason="no jax_cuda12_plugin: pip install 'jax[cuda12]' in a virtual environment of its own",
)


def test_memory_of_the_targets():
    gigabytes = {name: round(target.memory / 1e9) for name, target in TARGETS.items()}
    assert gigabytes == {"v5e": 16, "v6e": 32, "h100": 85, "a100": 42, "t4": 16}


def test_float16_is_for_gpus():
    computing = [name for name, target in TARGETS.items() if target.can_compute("float16")]
    assert computing == ["h100", "a100", "t4"]


@needs_libtpu
def test_compiling_for_a_tpu():
    compile_tiny("v5e")


@needs_cuda
def test_compiling_for_a_gpu():
    compile_tiny("t4")


def compile_tiny(target):
    program = Path(__file__).with_name("compile_tiny.py")
    folders = map(str, (ROOT, ROOT / "scripts", ROOT / "tests"))
    done = subprocess.run(
        [sys.executable, program, target],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
