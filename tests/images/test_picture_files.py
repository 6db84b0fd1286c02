import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from jaxdream import JaxdreamError, read_image, write_image
from jaxdream.images.formats import keeps_alpha, keeps_recipe
from jaxdream.images.picture_files import (
    Picture,
    check_png,
    check_writable,
    is_own,
    mark,
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
def test_impossible_files_are_refused_before_writing(tmp_path, name, says):
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


def test_unfit_alpha_and_recipe_are_refused(tmp_path):
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
        np.zeros((2, 2, 3, 3)),
        np.random.default_rng(0).uniform(0, 1, (9, 9, 3)),
        [["ab"]],
        [[1], [1, 2]],
    ],
)
def test_other_arrays_are_not_written(tmp_path, image):
    with pytest.raises(JaxdreamError):
        write_image(tmp_path / "x.png", image)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("size", "shape"),
    [(4, (3, 4)), ("4", (3, 4)), ("8x5", (5, 8)), ((5, 8), (5, 8)), (None, (6, 8))],
)
def test_a_picture_is_read_at_a_size(tmp_path, size, shape):
    alpha = np.linspace(0, 255, 48).reshape(6, 8).astype(np.uint8)
    write_image(tmp_path / "x.png", RAMP, alpha=alpha)
    picture = read_picture(tmp_path / "x.png", size=size)
    resized = resize_picture(read_picture(tmp_path / "x.png"), shape)
    np.testing.assert_array_equal(picture.pixels, resized.pixels)
    np.testing.assert_array_equal(picture.alpha, resized.alpha)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", size=size), resized.pixels)


@pytest.mark.parametrize("size", [0, -3, "x", "4x", "0x4", (0, 4), (1 << 20, 1 << 20)])
def test_a_picture_is_read_at_no_impossible_size(tmp_path, size):
    write_image(tmp_path / "x.png", RAMP)
    with pytest.raises(JaxdreamError, match=r"is not a size|too small|too large"):
        read_image(tmp_path / "x.png", size=size)


def test_resizing_keeps_a_constant_and_the_transparency():
    pixels = np.full((30, 40, 3), 77.25, np.float32)
    alpha = np.full((30, 40), 200, np.uint8)
    small = resize_picture(Picture(pixels, alpha, "hash"), (15, 20))
    np.testing.assert_allclose(small.pixels, np.full((15, 20, 3), 77.25), rtol=1e-5)
    np.testing.assert_array_equal(small.alpha, np.full((15, 20), 200))
    assert small.sha256 == "hash"


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((0, 5), "size 5x0: too small"),
        ((-1, 5), "size 5x-1: too small"),
        ((2**20, 2**20), "size 1048576x1048576: too large, at most 178,956,970 pixels"),
    ],
)
def test_impossible_sizes_are_refused(size, says):
    with pytest.raises(JaxdreamError, match=says):
        resize_picture(Picture(np.zeros((2, 2, 3), np.float32), None, ""), size)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".gif"])
def test_what_we_wrote_is_known_by_its_recipe_or_mark(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    image = np.full((6, 8, 3), 200, np.float32)
    for recipe, own in (
        ('{"recipe":4,"steps":10}', True),
        (mark("preview"), True),
        ('{"prompt":"a cat"}', False),
        ("a text", False),
        (None, False),
    ):
        write_image(path, image, recipe=recipe)
        assert is_own(path) == own, recipe


def test_what_cannot_be_known_is_not_ours(tmp_path):
    write_image(tmp_path / "x.bmp", np.full((6, 8, 3), 200, np.float32))
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "film.mp4").write_bytes(b"no film")
    (tmp_path / "folder.png").mkdir()
    for name in ("x.bmp", "text.png", "film.mp4", "folder.png", "none.png"):
        assert not is_own(tmp_path / name)


def test_a_png_is_checked_by_its_checksums(tmp_path):
    path = tmp_path / "x.png"
    write_image(path, RAMP.astype(np.float32), recipe=mark("frame"))
    assert check_png(path) == (6, 8)
    whole = path.read_bytes()
    for position in range(8, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 16
        path.write_bytes(damaged)
        with pytest.raises(JaxdreamError, match=r"x\.png"):
            check_png(path)
    path.write_bytes(whole[:-15])
    with pytest.raises(JaxdreamError):
        check_png(path)
    write_image(tmp_path / "x.jpg", RAMP.astype(np.float32))
    with pytest.raises(JaxdreamError, match="is not a PNG"):
        check_png(tmp_path / "x.jpg")
