import io
import os
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import black_ink_alone, linear_grey, linear_rgb
from PIL import Image, ImageCms

from jaxdream import JaxdreamError, read_image, write_image
from jaxdream.images.decoding import decoding_bytes
from jaxdream.images.picture_files import read_picture, read_recipe_text, read_size

ALL = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
RAMP = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
# Pillow 12 does not read what it writes in this mode without compression.
_STORED = {"YCbCr": {"compression": "tiff_lzw"}}
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I")
LINEAR_RGB, LINEAR_GREY = linear_rgb(), linear_grey()


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
    image.save(path, **_STORED.get(mode, {}))
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


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "YCbCr", "I;16"])
@pytest.mark.parametrize("profile", [LINEAR_RGB, LINEAR_GREY], ids=["rgb", "grey"])
def test_a_linear_profile_lightens_every_mode_it_fits(tmp_path, mode, profile):
    if mode == "I;16":
        image = Image.fromarray(np.full((2, 2), 128 * 257, np.uint16))
    else:
        image = Image.new("RGB", (2, 2), (128, 128, 128)).convert(mode)
    path = tmp_path / ("x.tif" if mode == "YCbCr" else "x.png")
    image.save(path, icc_profile=profile, **_STORED.get(mode, {}))
    fits = profile is LINEAR_RGB or mode in ("L", "LA", "I;16")
    np.testing.assert_allclose(read_image(path), 188 if fits else 128, atol=1)
    assert (read_picture(path).alpha is not None) == ("A" in mode)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_by_its_profile(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(path, icc_profile=black_ink_alone())
    np.testing.assert_allclose(read_image(path)[4, 4], 255, atol=2)  # cyan, without the profile


def test_a_broken_profile_is_ignored(tmp_path):
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


def test_a_picture_file_that_is_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    code = (
        "import sys; from jaxdream.images import picture_files as p\n"
        "for read in (p.read_picture, p.read_size, p.read_recipe_text):\n"
        "    try: read(sys.argv[1])\n"
        "    except p.JaxdreamError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "x.png"],
        check=False,
        cwd=tmp_path,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.stdout == 3 * "x.png is a pipe, not a regular file\n", done.stderr


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("read", [read_picture, read_recipe_text, read_size])
def test_an_orientation_given_twice_is_no_warning(tmp_path, suffix, read):
    twice = exif_of(TURNED, TURNED)
    Image.new("RGB", (6, 4)).save(tmp_path / f"x{suffix}", exif=twice)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(tmp_path / f"x{suffix}")
    assert not caught


def test_names_are_shown_on_one_line(tmp_path):
    path = tmp_path / "two\nlines\x1b.png"
    path.write_bytes(b"not a picture")
    for read in (read_picture, read_size):
        with pytest.raises(JaxdreamError, match=r"two\?lines\?\.png is not a picture of PNG"):
            read(path)


def kinds(folder, n):
    """Pictures that decoders and conversions need different amounts of memory for."""
    folder.mkdir()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (n, n, 3), np.uint8))
    deep = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (n, n), np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    noise.save(folder / "rgb.png", compress_level=1)
    noise.save(folder / "rgb.jpg")
    noise.save(folder / "progressive.jpg", progressive=True)
    noise.save(folder / "turned.jpg", exif=exif, icc_profile=LINEAR_RGB)
    noise.save(folder / "rgb.webp", quality=50, method=0)
    noise.convert("L").save(folder / "grey.png")
    noise.convert("RGBA").save(folder / "rgba.png", compress_level=1)
    noise.convert("CMYK").save(folder / "cmyk.tif")
    noise.quantize(64).save(folder / "palette.gif")
    deep.save(folder / "deep.png")
    deep.save(folder / "profile.png", icc_profile=LINEAR_GREY)
    return sorted(folder.iterdir())


MEASURE = """
import os, sys
from jaxdream.images.picture_files import read_picture

def memory(name):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))

pictures = sys.argv[1:]
for path in pictures[: len(pictures) // 2]:
    read_picture(path)  # small ones, so that each decoder is loaded
for path in pictures[len(pictures) // 2 :]:
    if os.fork() == 0:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the peak
        before = memory("VmRSS")
        read_picture(path)
        print(memory("VmHWM") - before, flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures as Linux tells it")
def test_the_memory_for_decoding_is_known_from_the_header(tmp_path):
    small, paths = kinds(tmp_path / "small", 8), kinds(tmp_path / "large", 1000)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURE, *map(str, small + paths)],
        timeout=300,
        capture_output=True,
        text=True,
        check=True,
    )
    peaks = [int(line) for line in done.stdout.split()]
    for path, peak in zip(paths, peaks, strict=True):
        assert 0.95 * peak < decoding_bytes(path) < 1.8 * peak, path.name


def test_a_large_picture_costs_nothing_to_estimate(tmp_path):
    (tmp_path / "large.png").write_bytes(png_header(13000, 13000) + b"\0\0\0\x09IDAT")
    assert decoding_bytes(tmp_path / "large.png") > 20 * 13000**2
    (tmp_path / "large.png").write_bytes(png_header(30000, 30000) + b"\0\0\0\x09IDAT")
    with pytest.raises(JaxdreamError, match="more than the 178,956,970 pixels allowed"):
        decoding_bytes(tmp_path / "large.png")
