"""Pictures in and out of files.

A file in any colour mode is turned into the pixel convention (float32, RGB, (h, w, 3), 0..255),
upright and in sRGB; transparency is carried beside it. (Pillow itself reads 16-bit colour PNGs as 8
bits; 16-bit grey keeps its precision.)
"""

import hashlib
import io
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import ExifTags, Image, PngImagePlugin

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, open_regular, printable, reason
from jaxdream.files.schema import decode
from jaxdream.files.writing import check_place, replacing
from jaxdream.images.decoding import (
    checked,
    decoded,
    exif_value,
    header,
    header_in,
    header_size,
    picture_bytes,
    rgb,
)
from jaxdream.images.formats import PICTURE_SUFFIXES, picture_format
from jaxdream.images.pixels import (
    MAX_PIXELS,
    check_picture,
    check_size,
    parse_size,
    to_levels,
)

RECIPE_CHUNK = "jaxdream"
_ASCII = b"ASCII\0\0\0"  # how an EXIF comment says what it is written in


@dataclass(frozen=True)
class Picture:
    """A picture from a file."""

    pixels: Float[np.ndarray, "h w 3"]  # RGB, 0..255
    alpha: UInt8[np.ndarray, "h w"] | None  # 0..255, where the file has transparency
    sha256: str  # of the file's bytes


def read_image(
    path: PathLike, *, size: int | str | tuple[int, int] | None = None
) -> Float[np.ndarray, "h w 3"]:
    """The pixels of a picture file: float32, RGB, (h, w, 3), 0..255.

    Args:
        size: as of ``read_picture``.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    return read_picture(path, size=size).pixels


def read_picture(path: PathLike, *, size: int | str | tuple[int, int] | None = None) -> Picture:
    """A picture file (of an animation, the first frame): upright, in sRGB, with its transparency.

    Args:
        size: to make it, in pixels, as ``resize_picture`` does: the longest side, or height and
            width, or a text as ``--size`` has it; by default its own.

    Raises:
        JaxdreamError: there is no such file, it is not a picture of a known format, it is damaged,
            it has more than ``MAX_PIXELS`` pixels, or as ``resize_picture``.
    """
    picture = decode_picture(picture_bytes(path), path)
    if size is None:
        return picture
    if not isinstance(size, tuple):
        height, width, _ = picture.pixels.shape
        size = parse_size(str(size), height, width)
    return resize_picture(picture, size)


def decode_picture(content: bytes, path: PathLike, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture in the bytes of a file, whose path only names it.

    Args:
        max_pixels: of a picture that is decoded; one with more is refused by its header.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    with decoded(content, path, max_pixels=max_pixels) as image:
        pixels, alpha = rgb(image, path)
    return Picture(pixels, alpha, hashlib.sha256(content).hexdigest())


def read_size(path: PathLike) -> tuple[int, int]:
    """Height and width of a picture file, set upright, from its header: nothing is decoded.

    (The orientation of a PNG that keeps it after its pixels is not seen.)

    Raises:
        JaxdreamError: as ``read_picture``, except for damage after the header.
    """
    return header_size(path)


def check_png(path: PathLike) -> tuple[int, int]:
    """Make sure by its checksums that a PNG is whole, without decoding it; its height and width.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    with checked(path) as image:
        return image.height, image.width


def resize_picture(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at another height and width (Lanczos, clipped to 0..255).

    Args:
        size: height and width, in pixels.

    Raises:
        JaxdreamError: the size has no pixels, or more than ``MAX_PIXELS``.
    """
    if picture.pixels.shape[:2] == size:
        return picture
    check_size(size)
    channels = [_lanczos(picture.pixels[..., c], size) for c in range(3)]
    alpha = None
    if picture.alpha is not None:
        alpha = np.round(_lanczos(picture.alpha.astype(np.float32), size)).astype(np.uint8)
    return replace(picture, pixels=np.stack(channels, axis=-1), alpha=alpha)


def check_writable(path: PathLike, *, size: tuple[int, int] = (1, 1)) -> None:
    """Make sure that a picture can be written here, before hours of computing.

    Args:
        size: its height and width in pixels, if already known: some formats cannot hold very large
            pictures.

    Raises:
        JaxdreamError: an unknown format, a picture too large for it, no such folder, or no
            permission to write there.
    """
    picture_format(path, size)
    check_place(path)


def write_image(
    path: PathLike,
    image: Any,
    *,
    alpha: Any = None,
    recipe: str | None = None,
    quality: int = 95,
) -> None:
    """Write a picture; the file is there whole or not at all.

    Args:
        path: its ending chooses the format (.png, .jpg, .webp, .tif, .bmp, .gif); all but JPEG and
            GIF are lossless.
        image: RGB, 0..255, (h, w, 3), NumPy or JAX; clipped, and rounded to whole levels.
        alpha: transparency, (h, w), 0..255, NumPy or JAX; left out where the format has none.
        recipe: ASCII text to keep in the file, left out where the format has no place for it.
        quality: of a JPEG, 1..100.

    Raises:
        JaxdreamError: an unknown format or a picture too large for it, arrays of another shape,
            values that are not finite or are fractions of 0..1 (as ``check_picture``), a recipe
            that is not ASCII, or a file that cannot be written.
    """
    content = encode_image(path, image, alpha=alpha, recipe=recipe, quality=quality)
    with replacing(path) as file:
        file.write(content)


def encode_image(
    path: PathLike, image, *, alpha=None, recipe: str | None = None, quality: int = 95
) -> bytes:
    """The bytes of the file that ``write_image`` writes.

    Args and errors are those of ``write_image``.
    """
    name = printable(path)
    check_picture(image, name=f"{name}: the picture")
    pixels = to_levels(image, name=f"{name}: the picture")
    if pixels.ndim != 3:
        raise JaxdreamError(f"{name}: one picture (height, width, 3), not {pixels.shape}")
    chosen = picture_format(path, pixels.shape[:2])
    picture = Image.fromarray(pixels)
    if alpha is not None and chosen.alpha:
        opacity = to_levels(alpha, name=f"{name}: alpha")
        if opacity.shape != pixels.shape[:2]:
            raise JaxdreamError(f"{name}: alpha is {opacity.shape}, the picture {pixels.shape}")
        picture.putalpha(Image.fromarray(opacity))
    options = {"quality": quality, "subsampling": 0} if chosen.name == "JPEG" else {}
    if chosen.name == "WEBP":
        options = {"lossless": True, "exact": True}
    if recipe is not None and chosen.recipe:
        options |= recipe_options(chosen.name, recipe)
    file = io.BytesIO()
    try:
        picture.save(file, format=chosen.name, **options)
    except Exception as error:  # encoders raise any type of exception
        raise JaxdreamError(f"cannot write {name}: {reason(error)}") from error
    return file.getvalue()


def read_recipe_text(path: PathLike) -> str | None:
    """The text that ``write_image`` kept in a file; None if it has none.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    return recipe_text_in(picture_bytes(path), path)


def recipe_text_in(content: bytes, path: PathLike) -> str | None:
    """What ``read_recipe_text`` gives, of the bytes of a file, whose path only names it.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    with decoded(content, path) as image:
        return _recipe_text(image)


def recipe_text_in_header(content: bytes, path: PathLike) -> str | None:
    """What ``recipe_text_in`` gives, without a look at the pixels.

    Raises:
        JaxdreamError: the bytes do not begin like a picture.
    """
    with header_in(content, path) as image:
        return _recipe_text(image)


def is_own(path: PathLike) -> bool:
    """Whether jaxdream wrote this picture or animation: its header has a recipe, or ``mark``.

    Of a format that keeps no recipe (BMP) nobody can tell.
    """
    try:
        if Path(path).suffix.lower() not in PICTURE_SUFFIXES:
            return _is_own_film(path)
        with header(path) as image:
            return is_own_text(_recipe_text(image))
    except JaxdreamError:
        return False


def mark(kind: str) -> str:
    """What is kept in place of a recipe in what cannot be replayed: ``"preview"``."""
    return json.dumps({"recipe": kind}, separators=(",", ":"))


def is_own_text(text: str | None) -> bool:
    """Whether the text in a picture or film, if there is one, is jaxdream's."""
    try:
        return not {"recipe", "zoom", "video"}.isdisjoint(decode(text or "", dict[str, Any]))
    except JaxdreamError:
        return False


def _is_own_film(path: PathLike) -> bool:
    try:
        import av

        with open_regular(path), av.open(os.fspath(path)) as film:
            # MKV has its names in capitals.
            return is_own_text(film.metadata.get("comment") or film.metadata.get("COMMENT"))
    except (ImportError, OSError, ValueError):  # PyAV's errors are of the last two
        return False


def _recipe_text(image: Image.Image) -> str | None:
    text = image.info.get(RECIPE_CHUNK)
    if text is None and image.format == "GIF":
        text = image.info.get("comment")
    if text is None and image.format == "TIFF":  # in which Pillow keeps no EXIF comment
        text = exif_value(image, ExifTags.Base.ImageDescription)
    # Of a PNG without EXIF in its header, asking for it would decode the pixels.
    if text is None and (image.format != "PNG" or "exif" in image.info):
        text = exif_value(image, ExifTags.Base.UserComment, ifd=ExifTags.IFD.Exif)
    if isinstance(text, bytes):
        text = text.removeprefix(_ASCII).decode("ascii", errors="replace")
    return text if isinstance(text, str) and text.startswith("{") else None


def recipe_options(name: str, recipe: str) -> dict:
    """The options that make Pillow keep a recipe in a file of a format.

    Args:
        name: of the format, as Pillow has it.
        recipe: ASCII text, so that every format can hold it.

    Raises:
        JaxdreamError: the text is not ASCII.
    """
    if not recipe.isascii():
        raise JaxdreamError("a recipe must be ASCII text")
    if name == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text(RECIPE_CHUNK, recipe)
        return {"pnginfo": chunks}
    if name == "GIF":
        return {"comment": recipe.encode("ascii")}
    if name == "TIFF":
        return {"description": recipe}
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = _ASCII + recipe.encode("ascii")
    return {"exif": exif}


def _lanczos(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    resized = Image.fromarray(channel).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized).clip(0, 255)
