"""Several devices, by four of the CPU's in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxdream as jd

FOUR = {
    "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
    "JAX_PLATFORMS": "cpu",
}


@pytest.mark.slow
def test_on_four_devices():
    tests = Path(__file__).with_name("four_devices.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", tests],
        env={**os.environ, **FOUR},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_command_shares_out_rows(run, photo, environment, tmp_path):
    quick = ["--steps", "2", "--octaves", "1", "--size", "75x61", "--layer", "conv1/7x7_s2"]
    quick += ["--model", "googlenet_mini"]
    done = run("dream", photo, *quick, "-o", "one.png", "--shard", "rows")
    assert "one device here, so nothing is shared" in done.stderr
    environment |= FOUR
    try:
        done = run("dream", photo, *quick, "-o", "four.png", "--shard", "rows")
        plan = run("dream", photo, *quick, "--plan", "--shard", "rows").stdout
    finally:
        environment["XLA_FLAGS"] = os.environ["XLA_FLAGS"]
    assert "one device here" not in done.stderr
    assert "MB of memory on each of 4 devices" in plan
    one, four = (jd.read_image(tmp_path / name) for name in ("one.png", "four.png"))
    np.testing.assert_allclose(one, four, atol=1)  # rounded to levels


@pytest.mark.slow
def test_a_batch_on_four_devices_is_that_on_one(run, environment, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(5):
        Image.effect_noise((64 - number, 48), 60).save(tmp_path / "in" / f"{number}.png")
    quick = ["--steps", "2", "--octaves", "1", "--model", "googlenet_mini"]
    quick += ["--layer", "conv1/7x7_s2"]
    run("batch", "in", "-o", "one", *quick)
    environment |= FOUR
    try:
        done = run("batch", "in", "-o", "four", *quick)
    finally:
        environment["XLA_FLAGS"] = os.environ["XLA_FLAGS"]
    assert "four: 5 dreamed, 0 done before, 0 failed" in done.stdout
    for number in range(5):
        one, four = (jd.read_image(tmp_path / f"{name}/{number}.png") for name in ("one", "four"))
        np.testing.assert_allclose(one, four, atol=1)


def test_one_device_is_enough(tiny, picture):
    import jax

    key = jax.random.key(0)
    options = {"objective": jd.objectives.layer("first"), "steps": 2, "octaves": 1}
    alone = jd.dream(key, tiny, picture, **options)
    rows = jd.dream(key, tiny, picture, shard=jd.shard_rows(), **options)
    np.testing.assert_allclose(rows, alone, atol=1e-3)
    (batch,) = jd.dream(key, tiny, picture[None], shard=jd.shard_pictures(), **options)
    assert batch.shape == picture.shape
    with pytest.raises(jd.JaxdreamError, match="at least one device"):
        jd.shard_rows([])
