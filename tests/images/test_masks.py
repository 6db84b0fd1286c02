"""Masks: their sizes, their files, what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError, read_mask, write_image
from jaxdream.images.masks import ALPHA, MaskSource, average_areas, check_mask, feather
from jaxdream.images.picture_files import read_picture
from jaxdream.settings import SourceSettings

SIDES = st.integers(1, 40)


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.integers(0, 99))
def test_areas_are_averaged(size, smaller, seed):
    size = tuple(map(max, size, smaller))
    mask = np.random.default_rng(seed).uniform(0, 1, size).astype(np.float32)
    result = average_areas(mask, smaller)
    assert result.shape == smaller
    np.testing.assert_allclose(result.mean(), mask.mean(), rtol=1e-4)
    # By the definition: every pixel repeated until both grids fit, then averaged in blocks.
    repeated = np.kron(mask, np.ones(smaller))
    blocks = repeated.reshape(smaller[0], size[0], smaller[1], size[1])
    np.testing.assert_allclose(result, blocks.mean(axis=(1, 3)), atol=1e-5)


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_black_stays_black_and_white_stays_white(size, other):
    assert (average_areas(np.zeros(size, np.float32), other) == 0).all()
    np.testing.assert_allclose(average_areas(np.ones(size, np.float32), other), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("mask", "line"),
    [
        (np.ones((3, 4)), r"mask has the shape \(3, 4\) and the picture 4x4"),
        (np.full((4, 4), 255.0), r"outside of 0..1"),
        (np.full((4, 4), np.nan), r"outside of 0..1"),
        (np.zeros((4, 4)), r"mask is 0 everywhere"),
        (np.stack([np.ones((4, 4)), np.zeros((4, 4))]), r"mask is 0 everywhere"),
    ],
)
def test_what_is_no_mask_is_refused(mask, line):
    with pytest.raises(JaxdreamError, match=line):
        check_mask(mask, (4, 4))


@pytest.fixture
def picture(tmp_path):
    alpha = np.zeros((8, 12), np.uint8)
    alpha[2:5, 3:9] = 255
    write_image(tmp_path / "picture.png", np.full((8, 12, 3), 100.0), alpha=alpha)
    return read_picture(tmp_path / "picture.png")


def masks(**options):
    return MaskSource.asked(SourceSettings(**options), lambda _: None)


def test_a_file_is_a_mask_by_its_brightness(tmp_path, picture):
    levels = np.zeros((8, 12, 3), np.float32)
    levels[:, :4], levels[:, 4:8] = 255, (0, 255, 0)
    write_image(tmp_path / "mask.png", levels)
    mask = masks(mask=str(tmp_path / "mask.png")).of(picture, "picture.png")
    assert mask.shape == (8, 12)
    assert (mask[:, :4] == 1).all()
    np.testing.assert_allclose(mask[:, 4:8], 0.587, atol=1e-6)
    assert (mask[:, 8:] == 0).all()
    inverted = masks(mask=str(tmp_path / "mask.png"), mask_invert=True).of(picture, "p")
    np.testing.assert_allclose(inverted, 1 - mask, atol=1e-6)


def test_of_another_size_it_is_resized_and_said_once(tmp_path, picture):
    write_image(tmp_path / "mask.png", np.full((4, 40, 3), 255.0))
    lines = []
    source = MaskSource.asked(SourceSettings(mask=str(tmp_path / "mask.png")), lines.append)
    for _ in range(2):
        np.testing.assert_allclose(source.of(picture, "picture.png"), 1, atol=1e-6)
    assert lines == [f"the mask {tmp_path / 'mask.png'} is 40x4 pixels: it is resized for "
                     "picture.png"]  # fmt: skip


def test_the_pictures_own_transparency_is_a_mask(picture):
    mask = masks(mask=ALPHA).of(picture, "picture.png")
    np.testing.assert_array_equal(mask, picture.alpha / 255)
    opaque = type(picture)(picture.pixels, None, "")
    with pytest.raises(JaxdreamError, match=r"picture.png has no transparency"):
        masks(mask=ALPHA).of(opaque, "picture.png")


def test_a_mask_is_read_at_the_size_of_its_picture(tmp_path, picture):
    path = tmp_path / "mask.png"
    levels = np.full((16, 24, 3), 51.0)
    levels[:, :12] = 255
    write_image(path, levels)
    for invert, softness in ((False, 0.0), (True, 0.0), (False, 2), (True, 1.5)):
        source = masks(mask=str(path), mask_invert=invert, mask_feather=float(softness))
        for of in (picture, picture.pixels):
            mask = read_mask(path, of, invert=invert, feather=softness)
            np.testing.assert_array_equal(mask, source.of(picture, "picture.png"))
    np.testing.assert_array_equal(read_mask("alpha", picture), picture.alpha / np.float32(255))


def test_what_cannot_be_read_as_a_mask_is_one_line(tmp_path, picture):
    with pytest.raises(JaxdreamError, match="the picture has no transparency that could be its"):
        read_mask("alpha", picture.pixels)
    with pytest.raises(JaxdreamError, match=r"none\.png"):
        read_mask(tmp_path / "none.png", picture)
    write_image(tmp_path / "black.png", np.zeros((8, 12, 3)))
    with pytest.raises(JaxdreamError, match=r"black\.png is black everywhere"):
        read_mask(tmp_path / "black.png", picture)


def test_edges_are_softened():
    mask = np.zeros((41, 41), np.float32)
    mask[:, 20:] = 1
    soft = feather(mask, 3.0)
    assert soft[20, 0] < 1e-4
    assert soft[20, -1] > 0.9999
    assert 0.3 < soft[20, 19] < 0.5 < soft[20, 20] < 0.7
    assert feather(mask, 0.0) is mask


@pytest.mark.parametrize(("invert", "colour"), [(False, "black"), (True, "white")])
def test_a_mask_of_nothing_is_refused(tmp_path, picture, invert, colour):
    write_image(tmp_path / "mask.png", np.full((8, 12, 3), 255.0 if invert else 0.0))
    source = masks(mask=str(tmp_path / "mask.png"), mask_invert=invert)
    with pytest.raises(JaxdreamError, match=f"mask.png is {colour} everywhere"):
        source.of(picture, "picture.png")


def test_a_recipe_has_its_name_without_the_folder(tmp_path):
    write_image(tmp_path / "mask.png", np.full((8, 12, 3), 255.0))
    settings = SourceSettings(mask=str(tmp_path / "mask.png"))
    source = MaskSource.asked(settings, print)
    named, files = source.named(settings, {"guide.png": "ab"})
    assert named.mask == "mask.png"
    assert files == {"guide.png": "ab", "mask.png": source.sha256}
    with pytest.raises(JaxdreamError, match=r"two files are named mask.png"):
        source.named(settings, {"mask.png": "ab"})


def test_options_of_no_mask_are_refused():
    with pytest.raises(JaxdreamError, match="need a mask"):
        SourceSettings(mask_invert=True)
