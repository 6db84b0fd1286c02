"""Freed memory goes back to the system, in a process of its own."""

import subprocess
import sys

import pytest

PROGRAM = """
import psutil
from jaxdream.execution import malloc

def resident():
    return psutil.Process().memory_info().rss / 1e6

{before}
blocks = [bytearray({size}) for _ in range({count})]
last = bytearray(1000)  # what was freed before it cannot just be cut off
full = resident()
del blocks
{after}
print(full - resident())
"""


def freed(**parts) -> float:
    """Megabytes that the process has less than before it freed 100 MB."""
    code = PROGRAM.format(**({"before": "", "after": ""} | parts))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is asked")
def test_freed_memory_goes_back_when_asked():
    small = {"size": 50_000, "count": 2_000}
    assert freed(**small, after="malloc.trim()") > 80


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is asked")
def test_large_blocks_go_back_as_they_are_freed():
    # Once one block of 30 MB was freed, glibc takes up to as large ones from its malloc.
    first = "x = bytearray(30_000_000); del x; "
    large = {"size": 10_000_000, "count": 10}
    assert freed(**large, before=first + "malloc.return_large_blocks()") > 80
