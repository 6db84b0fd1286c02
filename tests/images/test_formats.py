import pytest

from jaxdream import JaxdreamError
from jaxdream.images.formats import (
    ANIMATION_SUFFIXES,
    FORMATS,
    PICTURE_SUFFIXES,
    animation_format,
    keeps_alpha,
    keeps_recipe,
    picture_format,
)


def test_the_ending_decides_in_any_case():
    assert picture_format("a.PNG") == picture_format("a.b.png")
    assert picture_format("a.JPEG").name == "JPEG"
    assert animation_format("a.WebP").name == "WEBP"


def test_every_format_is_of_pictures_or_of_animations():
    assert set(PICTURE_SUFFIXES) | set(ANIMATION_SUFFIXES) == set(FORMATS)
    assert set(ANIMATION_SUFFIXES) == {suffix for suffix, form in FORMATS.items() if form.max_fps}


@pytest.mark.parametrize(
    ("find", "name", "says"),
    [
        (picture_format, "a.xyz", r"^a\.xyz: pictures are written as \.png, .*, not '\.xyz'$"),
        (picture_format, "a.mp4", r"pictures are written as .*\.gif, not '\.mp4'"),
        (picture_format, "a", r"^a: the name needs an ending: pictures are written as \.png"),
        (picture_format, ".png", "the name needs an ending"),
        (animation_format, "a.png", r"animations are written as \.gif, \.webp, \.mp4, not '\.png'"),
        (picture_format, "a\n.x\x1bz", r"^a\?\.x\?z: pictures are written as .*, not '\.x\?z'$"),
        (keeps_alpha, "a.xyz", "pictures are written as"),
        (keeps_recipe, "a.xyz", "pictures are written as"),
    ],
)
def test_other_endings_are_refused_with_the_known_ones(find, name, says):
    with pytest.raises(JaxdreamError, match=says):
        find(name)


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".mp4"])
def test_frames_too_large_for_an_animation(suffix):
    most = FORMATS[suffix].longest_side
    animation_format(f"a{suffix}", (2, most))
    animation_format(f"a{suffix}", (most, 2))
    says = (
        f"{most + 1}x2 pixels are too many for {FORMATS[suffix].name}, which holds at most {most}"
    )
    with pytest.raises(JaxdreamError, match=says) as error:
        animation_format(f"a{suffix}", (2, most + 1))
    assert "PNG" not in str(error.value)


def test_a_picture_too_large_for_its_format_should_be_a_png():
    with pytest.raises(JaxdreamError, match=r"10x16384 pixels .* WEBP.*: write a PNG"):
        picture_format("a.webp", (16384, 10))
    picture_format("a.png", (10**6, 10**6))


def test_which_formats_hold_alpha_and_recipe():
    assert [s for s in PICTURE_SUFFIXES if not keeps_recipe(f"a{s}")] == [".bmp"]
    assert [s for s in PICTURE_SUFFIXES if keeps_alpha(f"a{s}")] == [
        ".png",
        ".webp",
        ".tif",
        ".tiff",
    ]
