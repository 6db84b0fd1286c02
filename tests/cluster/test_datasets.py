"""The callable class for ``map_batches``; with Ray it is in ``test_run``."""

import numpy as np
import pytest
from cluster_extras import ray
from pictures import SETTINGS

import jaxdream as jd
from jaxdream import JaxdreamError, picture_seed
from jaxdream.cluster import Dreamer

assert ray
OPTIONS = {"steps": 2, "octaves": 1, "jitter": 3, "seed": SETTINGS["seed"]}


def column(*values):
    result = np.empty(len(values), object)
    result[:] = values
    return result


def test_a_row_has_the_dream_of_its_picture_or_why_not(few, tiny):
    picture = jd.read_image(few / "0" / "000.png")
    grey = picture[:20, :, 0].astype(np.uint8)
    rows = {
        "path": np.array(["a.png", "b.png", "c.png", "d.png", "e.png"], object),
        "image": column(
            picture, grey, b"no picture", picture[:1], (few / "1" / "001.jpg").read_bytes()
        ),
        "more": np.arange(5),
    }
    found = Dreamer(tiny, **OPTIONS)(rows)
    assert list(found) == ["path", "image", "more", "dream", "reason"]
    assert found["reason"][2] == "c.png is not a picture of PNG, JPEG, WEBP, TIFF, BMP, GIF"
    assert "too small" in found["reason"][3] or "at least" in found["reason"][3]
    assert [found["dream"][i].size for i in (2, 3)] == [0, 0]
    images = [
        picture,
        np.stack([grey] * 3, -1).astype(np.float32),
        jd.read_image(few / "1" / "001.jpg"),
    ]
    for number, image in zip((0, 1, 4), images, strict=True):
        assert found["reason"][number] == ""
        seed = picture_seed(5, rows["path"][number])
        alone = jd.dream(seed, tiny, image, steps=2, octaves=1, jitter=3)
        np.testing.assert_allclose(found["dream"][number], np.clip(alone, 0, 255), atol=0.51)


def test_pictures_of_one_size_are_one_array(tiny, picture):
    found = Dreamer(tiny, **OPTIONS)({"path": ["a", "b"], "image": np.stack([picture] * 2)})
    assert found["dream"].shape == (2, 24, 30, 3)
    assert found["dream"].dtype == np.uint8
    assert (found["dream"][0] != found["dream"][1]).any(), "each has a seed of its own"


def test_what_it_cannot_use(tiny, picture):
    with pytest.raises(JaxdreamError, match="the dataset has no column 'path': it has image"):
        Dreamer(tiny)({"image": [picture]})
    with pytest.raises(JaxdreamError, match="thrid"):
        Dreamer(tiny, "thrid")
    with pytest.raises(JaxdreamError, match="steps is a whole number"):
        Dreamer(tiny, steps=0)
