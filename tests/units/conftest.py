"""A folder of small pictures, one of which is broken."""

import numpy as np
import pytest

import jaxdream as jd


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(9)
    (path / "more").mkdir()
    for i in range(10):
        name = f"more/{i}.png" if i % 3 == 0 else f"{i}.png"
        jd.write_image(path / name, random.uniform(0, 255, (16 + i, 18, 3)))
    (path / "broken.png").write_bytes(b"no picture")
    return path
