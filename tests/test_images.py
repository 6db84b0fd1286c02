import io
import struct
import zlib

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from jaxdream import JaxdreamError, read_image, write_image
from jaxdream.images import (
    Picture,
    check_writable,
    keeps_alpha,
    keeps_recipe,
    parse_size,
    read_picture,
    read_recipe_text,
    resize_picture,
)

LOSSLESS = (".png", ".webp", ".tif", ".bmp")
ALL = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
RAMP = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pixels=hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    suffix=st.sampled_from(LOSSLESS),
)
def test_lossless_formats_keep_every_level(tmp_path, pixels, suffix):
    path = tmp_path / f"picture{suffix}"
    write_image(path, pixels.astype(np.float32))
    image = read_image(path)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize("suffix", ALL)
def test_every_format_is_written_and_read(tmp_path, suffix):
    y, x = np.mgrid[:32, :40]
    smooth = np.stack([4 * x, 6 * y, 3 * (x + y)], -1).astype(np.float32)
    path = tmp_path / f"picture{suffix.upper()}"
    write_image(path, jnp.asarray(smooth), recipe='{"recipe": 1}')
    assert np.abs(read_image(path) - smooth).mean() < (1 if suffix != ".gif" else 20)
    assert read_recipe_text(path) == ('{"recipe": 1}' if keeps_recipe(path) else None)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_values_are_clipped_and_rounded(tmp_path):
    image = np.array([[[-5.0, 0.4, 0.6], [254.6, 300.0, 127.0]]])
    write_image(tmp_path / "x.png", image)
    assert read_image(tmp_path / "x.png").tolist() == [[[0, 0, 1], [255, 255, 127]]]


@pytest.mark.parametrize("suffix", ALL)
def test_alpha_is_kept_where_the_format_can(tmp_path, suffix):
    alpha = np.linspace(0, 255, 48).reshape(6, 8).astype(np.uint8)
    path = tmp_path / f"picture{suffix}"
    write_image(path, RAMP, alpha=alpha)
    picture = read_picture(path)
    if keeps_alpha(path):
        np.testing.assert_array_equal(picture.alpha, alpha)
        np.testing.assert_array_equal(picture.pixels, RAMP)
    else:
        assert picture.alpha is None


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I")


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_means_the_same_grey(tmp_path, mode):
    """A picture of black and white, which every mode can hold, and mid-grey where it can."""
    grey = np.array([[0, 255, {"1": 0, "LAB": 119}.get(mode, 128)]], np.uint8)
    if mode.startswith("I"):
        kind = np.uint16 if mode == "I;16" else np.int32
        image = Image.fromarray(grey.astype(kind) * kind(257))
    elif mode == "LAB":
        # Lightness 50 of 100 is sRGB's 119.
        lightness = np.array([[0, 255, 128]], np.uint8)
        zero = np.zeros_like(lightness)
        image = Image.fromarray(np.stack([lightness, zero, zero], -1), mode="LAB")
    elif mode in ("P", "PA"):
        image = Image.fromarray(grey).convert("RGB").quantize(3).convert(mode)
    else:
        image = Image.fromarray(grey).convert("RGB").convert(mode)
    path = tmp_path / ("x.tif" if mode in ("CMYK", "YCbCr", "LAB", "I", "PA") else "x.png")
    image.save(path)
    pixels = read_image(path)
    assert pixels.shape == (1, 3, 3)
    np.testing.assert_allclose(pixels, np.repeat(grey[..., None], 3, -1), atol=3)


def test_16_bit_grey_keeps_its_fractions(tmp_path):
    values = np.array([[0, 100, 257, 12345, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    np.testing.assert_allclose(read_image(tmp_path / "x.png")[..., 1], values / 257, rtol=1e-6)


def test_palette_with_transparency(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "x.png", transparency=1)
    picture = read_picture(tmp_path / "x.png")
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0]]
    assert picture.pixels.tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "x.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_exif_orientation(tmp_path, orientation, mode):
    upright = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10
    # How the stored picture lies, by the orientation that undoes it.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation][..., : len(mode)]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "x.png", exif=exif)
    picture = read_picture(tmp_path / "x.png")
    np.testing.assert_array_equal(picture.pixels, upright[..., :3])
    if mode == "RGBA":
        np.testing.assert_array_equal(picture.alpha, upright[..., 3])


def test_colours_are_converted_to_srgb(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    pixels = np.array([[[128, 128, 128], [200, 200, 128]]], np.uint8)
    image = Image.fromarray(pixels, mode="LAB")
    image.save(tmp_path / "x.tif", icc_profile=lab)
    expected = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(lab)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    assert expected is not None
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif"), np.asarray(expected))


def test_a_wide_profile_changes_the_pixels(tmp_path):
    """sRGB's own profile with a linear curve: mid-grey means a lighter grey in sRGB."""
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", srgb[128:132])[0]
    for tag in range(count):
        name, offset, _ = struct.unpack(">4sII", srgb[132 + 12 * tag : 144 + 12 * tag])
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            # A "para" curve of type 0 with gamma 1.
            srgb[offset : offset + 16] = b"para" + bytes(8) + struct.pack(">i", 1 << 16)
    Image.new("RGB", (2, 2), (128, 128, 128)).save(tmp_path / "x.png", icc_profile=bytes(srgb))
    assert abs(read_image(tmp_path / "x.png")[0, 0, 0] - 188) < 3


def test_a_broken_profile_is_as_good_as_none(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "x.png", icc_profile=b"nonsense")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), RAMP)


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + struct.pack(">I", zlib.crc32(header))


def bad_files(folder):
    good = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(good, "PNG")
    jpeg = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(jpeg, "JPEG")
    contents = {
        "empty.png": b"",
        "text.jpg": b"not a picture",
        "cut.png": good.getvalue()[:-600],
        "cut.jpg": jpeg.getvalue()[:-600],
        "header.png": good.getvalue()[:20],
        "bomb.png": png_header(30000, 30000),
        "zero.png": png_header(0, 10),
        "icon.ico": b"\0\0\1\0",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    Image.fromarray(np.zeros((2, 2), np.float32)).save(folder / "float.tif")
    (folder / "folder.png").mkdir()
    return [*contents, "float.tif", "folder.png", "missing.png"]


def test_every_bad_file_is_one_line_that_names_it(tmp_path):
    for name in bad_files(tmp_path):
        with pytest.raises(JaxdreamError) as error:
            read_picture(tmp_path / name)
        assert str(tmp_path / name) in str(error.value)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 300, name


def test_a_picture_over_pillows_warning_is_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    write_image(tmp_path / "x.png", RAMP)
    assert read_image(tmp_path / "x.png").shape == (6, 8, 3)


def test_a_failure_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    write_image(path, RAMP)
    before = path.read_bytes()

    def fail(_, file, **__):
        file.write(b"half a")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(JaxdreamError, match=r"cannot write .*x\.png: No space left on device"):
        write_image(path, RAMP)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x.xyz", "pictures are written as .png"),
        ("x", "pictures are written as .png"),
        ("nowhere/x.png", "there is no folder"),
        ("folder.png", "is a folder"),
    ],
)
def test_what_cannot_be_written_is_said_before(tmp_path, name, says):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(JaxdreamError, match=says):
        check_writable(tmp_path / name)
    with pytest.raises(JaxdreamError):
        write_image(tmp_path / name, RAMP)


@pytest.mark.parametrize(
    "image", [np.full((2, 2, 3), np.nan), np.zeros((2, 2)), np.zeros((0, 2, 3))]
)
def test_what_is_no_picture_is_not_written(tmp_path, image):
    with pytest.raises(JaxdreamError):
        write_image(tmp_path / "x.png", image)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "size"),
    [("100x50", (50, 100)), ("80", (60, 80)), ("1", (1, 1)), (" 40X30 ", (30, 40))],
)
def test_sizes(text, size):
    assert parse_size(text, 300, 400) == size


@pytest.mark.parametrize("text", ["", "x", "0", "0x5", "-3", "1.5", "10x", "999999", "1e3"])
def test_what_is_no_size(text):
    with pytest.raises(JaxdreamError, match="is not a size"):
        parse_size(text, 300, 400)


def test_resizing_keeps_a_constant_and_the_transparency():
    pixels = np.full((30, 40, 3), 77.25, np.float32)
    alpha = np.full((30, 40), 200, np.uint8)
    small = resize_picture(Picture(pixels, alpha, "hash"), (15, 20))
    np.testing.assert_allclose(small.pixels, np.full((15, 20, 3), 77.25), rtol=1e-5)
    np.testing.assert_array_equal(small.alpha, np.full((15, 20), 200))
    assert small.sha256 == "hash"
