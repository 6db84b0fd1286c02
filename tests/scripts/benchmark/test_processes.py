"""Processes that are timed."""

import os
import sys

import numpy as np
import pytest
from PIL import Image

from benchmark.processes import run_process, write_photo


def test_a_process_is_timed_to_its_first_step_and_its_memory_is_its_own():
    held = np.ones(30_000_000)  # 240 MB of this process, not of the one that is measured
    script = "import time; time.sleep(0.2); print('step 1/2', flush=True); time.sleep(0.3)"
    run = run_process([sys.executable, "-c", script], os.environ)
    assert run.first_step is not None
    assert 0.2 < run.first_step < run.seconds - 0.25
    assert 2**20 < run.peak_bytes < held.nbytes / 2


def test_a_process_that_fails_is_an_error_with_what_it_printed():
    with pytest.raises(RuntimeError, match="broken"):
        run_process([sys.executable, "-c", "raise OSError('broken')"], os.environ)


def test_a_photo_is_written_at_the_height_and_width(tmp_path):
    source = tmp_path / "source.jpg"
    Image.new("L", (80, 60), 200).save(source)
    with Image.open(write_photo(tmp_path, source, (20, 30))) as image:
        assert (image.size, image.mode) == ((30, 20), "RGB")
        assert image.getpixel((3, 3)) == (200, 200, 200)
