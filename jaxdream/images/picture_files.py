"""Pictures in and out of files.

The pixel convention, here and everywhere outside a network: float32, RGB, (h, w, 3), 0..255. A file
in any colour mode is turned into that, upright and in sRGB; transparency is carried beside it.
(Pillow itself reads 16-bit colour PNGs as 8 bits; 16-bit grey keeps its precision.)
"""

import hashlib
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import ExifTags, Image, PngImagePlugin

from jaxdream.errors import JaxdreamError
from jaxdream.images.atomic import check_place, reason, replacing
from jaxdream.images.decoding import (
    MAX_PIXELS,
    PathLike,
    decoded,
    exif,
    file_content,
    header_size,
    rgb,
)

RECIPE_CHUNK = "jaxdream"
_ASCII = b"ASCII\0\0\0"  # how an EXIF comment says what it is written in


@dataclass(frozen=True)
class _Format:
    name: str
    alpha: bool = False
    recipe: bool = True
    longest_side: int = 2**31 - 1


_FORMATS = {
    ".png": _Format("PNG", alpha=True),
    ".jpg": _Format("JPEG", longest_side=65500),
    ".jpeg": _Format("JPEG", longest_side=65500),
    ".webp": _Format("WEBP", alpha=True, longest_side=16383),
    ".tif": _Format("TIFF", alpha=True),
    ".tiff": _Format("TIFF", alpha=True),
    ".bmp": _Format("BMP", recipe=False),
    ".gif": _Format("GIF", longest_side=65535),
}
SUFFIXES = tuple(_FORMATS)  # that pictures are written with


@dataclass(frozen=True)
class Picture:
    """A picture from a file."""

    pixels: Float[np.ndarray, "h w 3"]  # RGB, 0..255
    alpha: UInt8[np.ndarray, "h w"] | None  # 0..255, where the file has transparency
    sha256: str  # of the file's bytes


def read_image(path: PathLike) -> Float[np.ndarray, "h w 3"]:
    """The pixels of a picture file: float32, RGB, (h, w, 3), 0..255.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    return read_picture(path).pixels


def read_picture(path: PathLike) -> Picture:
    """A picture file (of an animation, the first frame): upright, in sRGB, with its transparency.

    Raises:
        JaxdreamError: there is no such file, it is no picture of a known format, is damaged, or
            has absurdly many pixels.
    """
    return decode_picture(file_content(Path(path)), path)


def decode_picture(content: bytes, path: PathLike) -> Picture:
    """The picture in the bytes of a file, whose path only names it.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    with decoded(content, path) as image:
        pixels, alpha = rgb(image, path)
    return Picture(pixels, alpha, hashlib.sha256(content).hexdigest())


def read_size(path: PathLike) -> tuple[int, int]:
    """Height and width of a picture file, set upright, from its header: nothing is decoded.

    (A PNG that keeps its orientation after its pixels is taken as it lies.)

    Raises:
        JaxdreamError: as ``read_picture``, but for damage after the header.
    """
    return header_size(Path(path))


def resize_picture(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at another height and width (Lanczos, clipped to 0..255).

    Raises:
        JaxdreamError: a size of no or absurdly many pixels.
    """
    if picture.pixels.shape[:2] == size:
        return picture
    _check_pixels(size, f"{size[1]}x{size[0]}")
    channels = [_lanczos(picture.pixels[..., c], size) for c in range(3)]
    alpha = None
    if picture.alpha is not None:
        alpha = np.round(_lanczos(picture.alpha.astype(np.float32), size)).astype(np.uint8)
    return replace(picture, pixels=np.stack(channels, axis=-1), alpha=alpha)


def parse_size(text: str, height: int, width: int) -> tuple[int, int]:
    """Height and width that ``WxH``, or ``N`` for the longest side, means for a picture.

    Raises:
        JaxdreamError: not a size, or of no or absurdly many pixels.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,5})(?:x([1-9][0-9]{0,5}))?", text.strip().lower())
    if match is None:
        raise JaxdreamError(f"{text!r} is not a size: give WIDTHxHEIGHT, or the longest side alone")
    if match[2]:
        size = (int(match[2]), int(match[1]))
    else:
        scale = int(match[1]) / max(height, width)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
    _check_pixels(size, text)
    return size


def keeps_alpha(path: PathLike) -> bool:
    """Whether files of this name can hold transparency."""
    return _format(path).alpha


def keeps_recipe(path: PathLike) -> bool:
    """Whether files of this name can hold the settings behind a picture."""
    return _format(path).recipe


def check_format(path: PathLike, size: tuple[int, int]) -> None:
    """Make sure that a file of this name can hold a picture of this height and width.

    Raises:
        JaxdreamError: an unknown format, or one too small for the picture.
    """
    _format(path, size)


def check_writable(path: PathLike, *, size: tuple[int, int] = (1, 1)) -> None:
    """Make sure that a picture can be written here, before hours of computing.

    Args:
        size: its height and width, if already known: some formats hold no very large picture.

    Raises:
        JaxdreamError: an unknown format, one too small for the picture, no such folder, or no
            permission to write there.
    """
    path = Path(path)
    check_format(path, size)
    check_place(path)


def write_image(
    path: PathLike, image, *, alpha=None, recipe: str | None = None, quality: int = 95
) -> None:
    """Write a picture; the file is there whole or not at all.

    Args:
        path: its ending chooses the format (.png, .jpg, .webp, .tif, .bmp, .gif); all but JPEG and
            GIF are lossless.
        image: RGB, 0..255, (h, w, 3), NumPy or JAX; clipped, and rounded to whole levels.
        alpha: transparency, (h, w), 0..255, NumPy or JAX; left out where the format has none.
        recipe: ASCII text to keep in the file, left out where the format has no place for it.
        quality: of a JPEG.

    Raises:
        JaxdreamError: an unknown format or one too small for the picture, arrays of another shape,
            values that are not finite, a recipe that is not ASCII, or a file that cannot be
            written.
    """
    path = Path(path)
    content = encode_image(path, image, alpha=alpha, recipe=recipe, quality=quality)
    with replacing(path) as file:
        file.write(content)


def encode_image(
    path: PathLike, image, *, alpha=None, recipe: str | None = None, quality: int = 95
) -> bytes:
    """The bytes of the file that ``write_image`` writes.

    Args and errors are those of ``write_image``.
    """
    path = Path(path)
    pixels = levels(image, path)
    if pixels.ndim != 3 or pixels.shape[-1] != 3 or 0 in pixels.shape:
        raise JaxdreamError(f"{path}: a picture is (h, w, 3), not {pixels.shape}")
    chosen = _format(path, pixels.shape[:2])
    picture = Image.fromarray(pixels)
    if alpha is not None and chosen.alpha:
        opacity = levels(alpha, path)
        if opacity.shape != pixels.shape[:2]:
            raise JaxdreamError(f"{path}: alpha is {opacity.shape}, the picture {pixels.shape}")
        picture.putalpha(Image.fromarray(opacity))
    options = {"quality": quality, "subsampling": 0} if chosen.name == "JPEG" else {}
    if chosen.name == "WEBP":
        options = {"lossless": True, "exact": True}
    if recipe is not None and chosen.recipe:
        if not recipe.isascii():
            raise JaxdreamError(f"{path}: a recipe is ASCII text, so that every format can hold it")
        options |= recipe_options(chosen.name, recipe)
    file = io.BytesIO()
    try:
        picture.save(file, format=chosen.name, **options)
    except Exception as error:  # encoders fail with whatever comes to hand
        raise JaxdreamError(f"cannot write {path}: {reason(error)}") from error
    return file.getvalue()


def read_recipe_text(path: PathLike) -> str | None:
    """The text that ``write_image`` kept in a file; None if it has none.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    with decoded(file_content(Path(path)), path) as image:
        text = image.info.get(RECIPE_CHUNK)
        if text is None and image.format == "GIF":
            text = image.info.get("comment")
        if text is None and image.format == "TIFF":  # in which Pillow keeps no EXIF comment
            text = exif(image).get(ExifTags.Base.ImageDescription)
        if text is None:
            text = exif(image, ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(text, bytes):
        text = text.removeprefix(_ASCII).decode("ascii", errors="replace")
    return text if isinstance(text, str) and text.startswith("{") else None


def recipe_options(name: str, recipe: str) -> dict:
    """What makes Pillow keep a recipe (ASCII text) in a file of a format."""
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


def _format(path: PathLike, size: tuple[int, ...] = (1, 1)) -> _Format:
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise JaxdreamError(f"{path}: pictures are written as {known}, not {suffix or 'nothing'!r}")
    chosen = _FORMATS[suffix]
    if max(size) > chosen.longest_side:
        raise JaxdreamError(
            f"{path}: {size[1]}x{size[0]} pixels are too many for {chosen.name}, which holds "
            f"{chosen.longest_side} a side: write a PNG"
        )
    return chosen


def levels(values, path: PathLike) -> UInt8[np.ndarray, "..."]:
    """Numbers of 0..255, NumPy or JAX, as whole levels: clipped and rounded.

    Raises:
        JaxdreamError: they are not finite numbers; the line begins with ``path``.
    """
    try:
        array = np.asarray(values)
        finite = np.isfinite(array).all() and not np.iscomplexobj(array)
    except (TypeError, ValueError):
        raise JaxdreamError(f"{path}: a picture is an array of numbers") from None
    if not finite:
        raise JaxdreamError(f"{path}: the picture has values that are not finite real numbers")
    return np.round(array.clip(0, 255)).astype(np.uint8)


def _check_pixels(size: tuple[int, int], text: str) -> None:
    if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
        raise JaxdreamError(f"{text!r} is not a size to dream at: 1 to {MAX_PIXELS:,} pixels are")


def _lanczos(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    resized = Image.fromarray(channel).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized).clip(0, 255)
