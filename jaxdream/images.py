"""Pictures in and out of files.

The pixel convention, here and everywhere outside a network: float32, RGB, (h, w, 3), 0..255. A file
in any colour mode is turned into that, upright and in sRGB; transparency is carried beside it.
(Pillow itself reads 16-bit colour PNGs as 8 bits; 16-bit grey keeps its precision.)
"""

import hashlib
import io
import os
import re
import struct
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from jaxdream.errors import JaxdreamError
from jaxdream.files import replacing

PathLike = str | os.PathLike[str]

READ_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
RECIPE_CHUNK = "jaxdream"
_MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 1 << 27)  # Pillow's own limit for an error


@dataclass(frozen=True)
class _Format:
    name: str
    alpha: bool = False
    recipe: bool = True


_FORMATS = {
    ".png": _Format("PNG", alpha=True),
    ".jpg": _Format("JPEG"),
    ".jpeg": _Format("JPEG"),
    ".webp": _Format("WEBP", alpha=True),
    ".tif": _Format("TIFF", alpha=True),
    ".tiff": _Format("TIFF", alpha=True),
    ".bmp": _Format("BMP", recipe=False),
    ".gif": _Format("GIF"),
}


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
    content = _content(Path(path))
    with _open(content, path) as image:
        try:
            upright = ImageOps.exif_transpose(image)
            pixels, alpha = _rgb(upright, path)
        except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
            if isinstance(error, JaxdreamError):
                raise
            raise JaxdreamError(f"{path} is damaged or cut short: {_first_line(error)}") from error
    return Picture(pixels, alpha, hashlib.sha256(content).hexdigest())


def resize_picture(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at another height and width (Lanczos, clipped to 0..255)."""
    if picture.pixels.shape[:2] == size:
        return picture
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
    match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text.strip().lower())
    if match is None:
        raise JaxdreamError(f"{text!r} is not a size: give WIDTHxHEIGHT, or the longest side alone")
    if match[2]:
        size = (int(match[2]), int(match[1]))
    else:
        scale = int(match[1]) / max(height, width)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        size = size if int(match[1]) else (0, 0)
    if not 0 < size[0] * size[1] <= _MAX_PIXELS:
        raise JaxdreamError(f"{text!r} is not a size to dream at: 1 to {_MAX_PIXELS:,} pixels are")
    return size


def keeps_alpha(path: PathLike) -> bool:
    """Whether files of this name can hold transparency."""
    return _format(path).alpha


def keeps_recipe(path: PathLike) -> bool:
    """Whether files of this name can hold the settings behind a picture."""
    return _format(path).recipe


def check_writable(path: PathLike) -> None:
    """Make sure that a picture can be written here, before hours of computing.

    Raises:
        JaxdreamError: an unknown format, no such folder, or no permission to write there.
    """
    path = Path(path)
    _format(path)
    if path.is_dir():
        raise JaxdreamError(f"{path} is a folder: name the file to write")
    if not path.parent.is_dir():
        raise JaxdreamError(f"cannot write {path}: there is no folder {path.parent}")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".jaxdream-"):
            pass
    except OSError as error:
        raise JaxdreamError(f"cannot write to {path.parent}: {error.strerror}") from error


def write_image(
    path: PathLike,
    image,
    *,
    alpha: UInt8[np.ndarray, "h w"] | None = None,
    recipe: str | None = None,
    quality: int = 95,
) -> None:
    """Write a picture; the file is there whole or not at all.

    Args:
        path: its ending chooses the format (.png, .jpg, .webp, .tif, .bmp, .gif); all but JPEG and
            GIF are lossless.
        image: RGB, 0..255, (h, w, 3), NumPy or JAX; clipped, and rounded to whole levels.
        alpha: transparency, left out where the format has none.
        recipe: text to keep in the file, left out where the format has no place for it.
        quality: of a JPEG.

    Raises:
        JaxdreamError: an unknown format, values that are not finite, or a file that cannot be
            written.
    """
    path = Path(path)
    chosen = _format(path)
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[-1] != 3 or 0 in pixels.shape:
        raise JaxdreamError(f"{path}: a picture is (h, w, 3), not {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise JaxdreamError(f"{path}: the picture has values that are not finite numbers")
    picture = Image.fromarray(np.round(pixels.clip(0, 255)).astype(np.uint8))
    if alpha is not None and chosen.alpha:
        picture.putalpha(Image.fromarray(alpha))
    options = {"quality": quality, "subsampling": 0} if chosen.name == "JPEG" else {}
    if chosen.name == "WEBP":
        options = {"lossless": True, "exact": True}
    if recipe is not None and chosen.recipe:
        options |= _recipe_options(chosen.name, recipe)
    with replacing(path) as file:
        picture.save(file, format=chosen.name, **options)


def read_recipe_text(path: PathLike) -> str | None:
    """The text that ``write_image`` kept in a file; None if it has none.

    Raises:
        JaxdreamError: as ``read_picture``.
    """
    with _open(_content(Path(path)), path) as image:
        try:
            image.load()  # a PNG's text may follow its pixels
        except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
            raise JaxdreamError(f"{path} is damaged or cut short: {_first_line(error)}") from error
        text = image.info.get(RECIPE_CHUNK)
        if text is None and image.format == "GIF":
            text = image.info.get("comment")
        if text is None and image.format == "TIFF":
            text = image.getexif().get(ExifTags.Base.ImageDescription)
        if text is None:
            exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
            text = exif.get(ExifTags.Base.UserComment)
    if isinstance(text, bytes):
        text = text.removeprefix(_ASCII).decode("ascii", errors="replace")
    return text if isinstance(text, str) and text.startswith("{") else None


_ASCII = b"ASCII\0\0\0"  # how an EXIF comment says what it is written in


def _recipe_options(name: str, recipe: str) -> dict:
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


def _format(path: PathLike) -> _Format:
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise JaxdreamError(f"{path}: pictures are written as {known}, not {suffix or 'nothing'!r}")
    return _FORMATS[suffix]


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise JaxdreamError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise JaxdreamError(f"{path} is a folder: name the pictures in it") from None
    except OSError as error:
        raise JaxdreamError(f"cannot read {path}: {error.strerror}") from error
    if not content:
        raise JaxdreamError(f"{path} is empty")
    return content


@contextmanager
def _open(content: bytes, path: PathLike) -> Iterator[Image.Image]:
    try:
        image = _lazily_opened(content)
    except UnidentifiedImageError:
        known = ", ".join(READ_FORMATS)
        raise JaxdreamError(f"{path} is not a picture that can be read ({known})") from None
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
        raise JaxdreamError(f"{path} is damaged or cut short: {_first_line(error)}") from error
    except Image.DecompressionBombError:
        raise JaxdreamError(f"{path} has more than the {_MAX_PIXELS:,} pixels allowed") from None
    with image:
        yield image


def _lazily_opened(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow warns of half its limit; the limit itself is ours too.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=READ_FORMATS)


def _rgb(image: Image.Image, path: PathLike):
    """Pixels and transparency of an opened picture of any mode."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_grey(image, path), None
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.array(image.getchannel("A"))
        image = image.convert("RGB")
    if image.mode in ("P", "1", "PA", "LA"):
        image = image.convert("RGB" if image.mode != "1" else "L")
    if profile:
        image = _to_srgb(image, profile)
    return np.array(image.convert("RGB"), np.float32), alpha


def _deep_grey(image: Image.Image, path: PathLike) -> Float[np.ndarray, "h w 3"]:
    """Grey of more than 8 bits, as three equal channels with its fractions."""
    grey = np.asarray(image).astype(np.float64)
    if image.mode == "F" or grey.min() < 0 or grey.max() > 65535:
        raise JaxdreamError(
            f"{path} holds {'floating-point' if image.mode == 'F' else '32-bit'} values whose "
            "range is unknown: save it with 8 or 16 bits"
        )
    return np.repeat((grey / 257)[..., None], 3, axis=-1).astype(np.float32)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours as the picture's own profile means them; a broken profile is as good as none."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, srgb, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _lanczos(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    resized = Image.fromarray(channel).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized).clip(0, 255)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
