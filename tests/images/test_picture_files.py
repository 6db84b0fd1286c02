import io
import struct
import warnings
import zlib

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from jaxdream import JaxdreamError, read_image, write_image
from jaxdream.images.picture_files import (
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


def test_16_bit_grey_with_a_transparent_level(tmp_path):
    values = np.array([[1000, 2000, 3000]], np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png", transparency=2000)
    picture = read_picture(tmp_path / "x.png")
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0, 255]]


def test_16_bit_tiff_where_zero_is_white(tmp_path):
    Image.fromarray(np.array([[257, 514, 65535]], np.uint16)).save(tmp_path / "x.tif")
    content = bytearray((tmp_path / "x.tif").read_bytes())
    photometric = content.index(struct.pack("<HHI", 262, 3, 1)) + 8
    content[photometric] = 0
    (tmp_path / "x.tif").write_bytes(content)
    assert read_image(tmp_path / "x.tif")[0, :, 0].tolist() == [254, 253, 0]


def test_cmyk_jpeg(tmp_path):
    """Which Adobe, and so Pillow, stores inverted."""
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=100)
    np.testing.assert_allclose(read_image(tmp_path / "x.jpg")[4, 4], [255, 0, 0], atol=3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("mode", "suffix"), [("RGB", ".png"), ("RGBA", ".png"), ("RGBA", ".webp"), ("RGB", ".tif")]
)
def test_exif_orientation(tmp_path, orientation, mode, suffix):
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
    path = tmp_path / f"x{suffix}"
    image = Image.fromarray(np.ascontiguousarray(stored))
    image.save(path, exif=exif, lossless=True, exact=True)  # as WebP may be
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, upright[..., :3])
    if mode == "RGBA":
        np.testing.assert_array_equal(picture.alpha, upright[..., 3])


def test_exif_orientation_of_16_bits(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    values = np.array([[257, 514, 771]], np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png", exif=exif)
    assert read_image(tmp_path / "x.png")[..., 0].tolist() == [[1], [2], [3]]


def exif_of(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF of one directory, from (tag, type, count, value) as written in it."""
    packed = b"".join(struct.pack(">HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + packed + bytes(4)


TURNED = (0x0112, 3, 1, b"\0\6\0\0")


@pytest.mark.parametrize(
    ("exif", "shape"),
    [
        (exif_of(TURNED), (6, 4, 3)),
        (exif_of((0x0100, 2, 4, b"odd\0"), TURNED), (6, 4, 3)),  # a width that is a word
        (exif_of(TURNED)[:-8], (4, 6, 3)),
        (exif_of((0x0112, 2, 4, b"odd\0")), (4, 6, 3)),
        (b"Exif\0\0nonsense", (4, 6, 3)),
    ],
)
def test_odd_exif_stops_no_picture(tmp_path, exif, shape):
    Image.new("RGB", (6, 4)).save(tmp_path / "x.jpg", exif=exif)
    assert read_image(tmp_path / "x.jpg").shape == shape
    assert read_recipe_text(tmp_path / "x.jpg") is None


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


def linear_rgb() -> bytes:
    """sRGB's own profile with a linear curve: mid-grey in it is a lighter grey in sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    for tag in range(count):
        name, offset, _ = struct.unpack(">4sII", profile[132 + 12 * tag : 144 + 12 * tag])
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            # A "para" curve of type 0 with gamma 1.
            profile[offset : offset + 16] = b"para" + bytes(8) + struct.pack(">i", 1 << 16)
    return bytes(profile)


D50 = struct.pack(">iii", 63190, 65536, 54061)


def icc(space: bytes, connection: bytes, **tags: bytes) -> bytes:
    """A minimal ICC profile, version 2."""
    tags = {"wtpt": b"XYZ " + bytes(4) + D50, **tags}
    table, data = b"", b""
    for name, value in tags.items():
        offset = 132 + 12 * len(tags) + len(data)
        table += name.encode() + struct.pack(">II", offset, len(value))
        data += value + bytes(-len(value) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(">I4xI4s4s4s", 128 + len(body), 0x02400000, b"mntr", space, connection)
    return head + bytes(12) + b"acsp" + bytes(28) + D50 + bytes(48) + body


def linear_grey() -> bytes:
    return icc(b"GRAY", b"XYZ ", kTRC=b"curv" + bytes(4) + struct.pack(">IH", 1, 256))


def black_ink_alone() -> bytes:
    """CMYK in which only black prints."""
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    # Two grid points an ink, black varying fastest; Lab: L, then a = b = 0.
    grid = b"".join(bytes([0 if corner % 2 else 255, 128, 128]) for corner in range(16))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + grid + ramp * 3
    return icc(b"CMYK", b"Lab ", A2B0=lut)


LINEAR_RGB, LINEAR_GREY = linear_rgb(), linear_grey()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "YCbCr", "I;16"])
@pytest.mark.parametrize("profile", [LINEAR_RGB, LINEAR_GREY], ids=["rgb", "grey"])
def test_a_linear_profile_lightens_every_mode_it_fits(tmp_path, mode, profile):
    if mode == "I;16":
        image = Image.fromarray(np.full((2, 2), 128 * 257, np.uint16))
    else:
        image = Image.new("RGB", (2, 2), (128, 128, 128)).convert(mode)
    path = tmp_path / ("x.tif" if mode == "YCbCr" else "x.png")
    image.save(path, icc_profile=profile)
    fits = profile is LINEAR_RGB or mode in ("L", "LA", "I;16")
    np.testing.assert_allclose(read_image(path), 188 if fits else 128, atol=1)
    assert (read_picture(path).alpha is not None) == ("A" in mode)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_by_its_profile(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(path, icc_profile=black_ink_alone())
    np.testing.assert_allclose(read_image(path)[4, 4], 255, atol=2)  # cyan, without the profile


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


@pytest.mark.parametrize("suffix", ALL)
def test_a_picture_over_pillows_warning_is_no_warning(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    write_image(tmp_path / f"x{suffix}", RAMP)
    before = warnings.filters[:]
    assert read_image(tmp_path / f"x{suffix}").shape == (6, 8, 3)
    assert warnings.filters == before


def encoded() -> list[bytes]:
    """The same small picture in every format, with all that Pillow writes beside the pixels."""
    image = Image.fromarray(RAMP)
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = []
    for name in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"):
        file = io.BytesIO()
        extra = {} if name in ("BMP", "GIF") else {"exif": exif, "icc_profile": LINEAR_RGB}
        image.save(file, name, **extra)
        contents.append(file.getvalue())
    return contents


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from(encoded()),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    kept=st.floats(0.01, 1),
)
def test_damage_of_any_kind_is_a_picture_or_one_line(tmp_path, monkeypatch, content, places, kept):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    damaged = bytearray(content)
    for place, value in places:
        damaged[int(place**2 * len(damaged))] = value  # headers more often than pixels
    (tmp_path / "x").write_bytes(damaged[: int(kept * len(damaged)) + 1])
    for read in (read_picture, read_recipe_text):
        try:
            read(tmp_path / "x")
        except JaxdreamError as error:
            assert "\n" not in str(error)  # noqa: PT017


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


def test_a_failure_of_an_encoder_is_one_line(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OverflowError("int too big to convert")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(JaxdreamError, match=r"cannot write .*x\.png: int too big"):
        write_image(tmp_path / "x.png", RAMP)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "most"), [(".webp", 16383), (".jpg", 65500), (".gif", 65535)])
def test_a_picture_too_large_for_its_format(tmp_path, suffix, most):
    path = tmp_path / f"x{suffix}"
    write_image(path, np.zeros((1, most, 3), np.uint8))
    check_writable(path, size=(1, most))
    path.unlink()
    with pytest.raises(JaxdreamError, match="too many for"):
        check_writable(path, size=(1, most + 1))
    with pytest.raises(JaxdreamError, match="too many for"):
        write_image(path, np.zeros((1, most + 1, 3), np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x.xyz", "pictures are written as .png"),
        ("x", "pictures are written as .png"),
        ("nowhere/x.png", "there is no folder"),
        ("folder.png", "is a folder"),
        ("file/x.png", "there is no folder"),
        ("x" * 245 + ".png", "File name too long"),  # on the way, if not in the end
        ("a\0b.png", "null"),
    ],
)
def test_what_cannot_be_written_is_said_before(tmp_path, name, says):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(JaxdreamError, match=says):
        check_writable(tmp_path / name)
    with pytest.raises(JaxdreamError):
        write_image(tmp_path / name, RAMP)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]


def test_checking_leaves_nothing(tmp_path):
    check_writable(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["uint8", "int32", "float16", "bfloat16", "float32"])
def test_jax_arrays_of_any_kind_are_written(tmp_path, kind):
    image, alpha = jnp.full((2, 3, 3), 64, kind), jnp.full((2, 3), 32, kind)
    write_image(tmp_path / "x.png", image, alpha=alpha)
    picture = read_picture(tmp_path / "x.png")
    assert (picture.pixels == 64).all()
    np.testing.assert_array_equal(picture.alpha, np.full((2, 3), 32))


def test_alpha_and_recipe_that_fit_no_picture(tmp_path):
    with pytest.raises(JaxdreamError, match=r"alpha is \(3, 3\)"):
        write_image(tmp_path / "x.png", RAMP, alpha=np.zeros((3, 3), np.uint8))
    with pytest.raises(JaxdreamError, match="ASCII"):
        write_image(tmp_path / "x.jpg", RAMP, recipe="é")
    with pytest.raises(JaxdreamError, match=r"cannot write .*x\.jpg: EXIF data is too long"):
        write_image(tmp_path / "x.jpg", RAMP, recipe="x" * 70_000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "image",
    [
        np.full((2, 2, 3), np.nan),
        np.full((2, 2, 3), 1j),
        np.zeros((2, 2)),
        np.zeros((0, 2, 3)),
        [["ab"]],
        [[1], [1, 2]],
    ],
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


@pytest.mark.parametrize("text", ["", "x", "0", "0x5", "-3", "1.5", "10x", "999999", "1e3", "٣"])
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


@pytest.mark.parametrize("size", [(0, 5), (-1, 5), (2**20, 2**20)])
def test_resizing_to_no_size(size):
    with pytest.raises(JaxdreamError, match="is not a size"):
        resize_picture(Picture(np.zeros((2, 2, 3), np.float32), None, ""), size)
