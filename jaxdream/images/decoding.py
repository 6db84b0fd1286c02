"""Picture files of any format and colour mode, decoded: upright, in sRGB, as arrays."""

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike, open_regular, printable, read_bytes, reason
from jaxdream.images.pixels import MAX_PIXELS

READ_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
_TURNS = {  # how a picture of each EXIF orientation is set upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width

_warnings_lock = threading.Lock()


def picture_bytes(path: PathLike) -> bytes:
    """The bytes of a picture file.

    Raises:
        JaxdreamError: as ``read_bytes``, or the file is empty.
    """
    content = read_bytes(path)
    if not content:
        raise JaxdreamError(f"{printable(path)} is empty")
    return content


@contextmanager
def header(path: PathLike) -> Iterator[Image.Image]:
    """The picture in a file of which only the header is read.

    Raises:
        JaxdreamError: as ``open_regular``, or the file does not begin like a picture.
    """
    with open_regular(path) as file, _opened(file, path) as image:
        yield image


@contextmanager
def header_in(content: bytes, name: PathLike) -> Iterator[Image.Image]:
    """The picture in the bytes of a file, or in its first ones, of which the header is read.

    Args:
        name: what messages call it.

    Raises:
        JaxdreamError: they do not begin like a picture, or too little is there to tell.
    """
    with _opened(io.BytesIO(content), name) as image:
        yield image


def header_size(path: PathLike) -> tuple[int, int]:
    """Height and width of the picture in a file, set upright; only its header is read.

    Raises:
        JaxdreamError: as ``header``.
    """
    with header(path) as image:
        return _upright_size(image)


def header_size_in(file: io.BytesIO, name: str) -> tuple[int, int]:
    """What ``header_size`` gives, of the beginning of a file in memory.

    Args:
        name: what messages call it.

    Raises:
        JaxdreamError: it does not begin like a picture, or too little of it is there to tell.
    """
    with _opened(file, name) as image:
        return _upright_size(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (width, height) if _header_orientation(image) in _SIDEWAYS else (height, width)


def decoding_bytes(path: PathLike) -> int:
    """About how much memory it takes to decode a picture file, at its peak, in bytes.

    An estimate from the header: the file itself, Pillow's picture, and the float32 array that is
    made of it, with the copies that exist at the same time.

    Raises:
        JaxdreamError: as ``header_size``.
    """
    with open_regular(path) as file, _opened(file, path) as image:
        # Measured with Pillow 13 and NumPy 2.5, which takes 2 bytes more than before; up to 4 bytes
        # more, so that the estimate is rarely too small.
        bytes_per_pixel = 35 if _is_deep_grey(image) else 27
        if image.has_transparency_data:
            bytes_per_pixel += 8
        if image.info.get("icc_profile"):
            bytes_per_pixel += 8
        if image.format == "WEBP" or image.info.get("progressive"):
            bytes_per_pixel += 8
        if _header_orientation(image) in _TURNS:
            bytes_per_pixel += 4
        width, height = image.size
        return os.fstat(file.fileno()).st_size + bytes_per_pixel * width * height


@contextmanager
def decoded(
    content: bytes, path: PathLike, *, max_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """The picture in the bytes of a file, wholly decoded.

    Raises:
        JaxdreamError: it is not a picture, is damaged, or has more pixels than are allowed, which
            its header tells; also for what fails inside the block.
    """
    with _opened(io.BytesIO(content), path) as image:
        if image.width * image.height > max_pixels:
            raise _too_large(path, max_pixels)
        if image.format in ("TIFF", "GIF"):  # which look at their metadata only now
            with quiet():
                image.load()
        image.load()
        yield image


@contextmanager
def checked(path: PathLike) -> Iterator[Image.Image]:
    """The picture in a PNG whose checksums are right; its pixels are not decoded.

    Raises:
        JaxdreamError: as ``decoded``, or it is no PNG.
    """
    content = picture_bytes(path)
    with _opened(io.BytesIO(content), path) as image:
        if image.format != "PNG":
            raise JaxdreamError(f"{printable(path)} is not a PNG")
        if not content.endswith(_PNG_END):  # which Pillow does not miss
            raise JaxdreamError(f"{printable(path)} is cut short")
        image.verify()
        yield image


@contextmanager
def _opened(file: io.BytesIO | io.BufferedReader, path: PathLike) -> Iterator[Image.Image]:
    """The picture in a file; any failure inside the block becomes one line about the file."""
    try:
        with quiet():
            image = Image.open(file, formats=READ_FORMATS)
        with image:
            yield image
    except JaxdreamError:
        raise
    except UnidentifiedImageError:
        known = ", ".join(READ_FORMATS)
        raise JaxdreamError(f"{printable(path)} is not a picture of {known}") from None
    except Exception as error:
        raise _undecodable(path, error) from error


def _undecodable(path: PathLike, error: Exception) -> JaxdreamError:
    """The message for a file on which a decoder failed: damage can raise any exception."""
    problem = f"is damaged or cut short: {reason(error)}"
    if isinstance(error, Image.DecompressionBombError):
        return _too_large(path, MAX_PIXELS)
    if isinstance(error, MemoryError):
        problem = "does not fit into memory"
    return JaxdreamError(f"{printable(path)} {problem}")


def _too_large(path: PathLike, max_pixels: int) -> JaxdreamError:
    return JaxdreamError(f"{printable(path)} has more than the {max_pixels:,} pixels allowed")


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings from Pillow about large pictures or odd metadata.

    Filters belong to all threads, so one thread at a time changes them, and most of the decoding
    stays outside.
    """
    with _warnings_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def exif_value(image: Image.Image, tag: int, *, ifd: int | None = None) -> object:
    """The value of a tag in the picture's EXIF, or in a directory of it; None if it has none.

    Broken EXIF is treated as none.
    """
    try:
        with quiet():  # for the lookup too: only now is the tag decoded
            tags = image.getexif()
            return (tags if ifd is None else tags.get_ifd(ifd)).get(tag)
    except Exception:
        return None


def _orientation(image: Image.Image) -> int:
    orientation = exif_value(image, ExifTags.Base.Orientation)
    return orientation if isinstance(orientation, int) else 1


def _header_orientation(image: Image.Image) -> int:
    """How the pixels of a file lie whose header alone was read."""
    # Of a TIFF, Pillow already gives the upright size. Of a PNG whose header has no EXIF, asking
    # for it would decode the pixels.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    return _orientation(image)


def rgb(image: Image.Image, path: PathLike):
    """Pixels (h, w, 3) and transparency (h, w) or None of a loaded picture of any mode.

    Raises:
        JaxdreamError: its values are floating-point or 32-bit, whose range is unknown.
    """
    profile = image.info.get("icc_profile")
    # Not by ImageOps.exif_transpose: it writes the EXIF again, and fails if any tag in it is odd.
    turn = _TURNS.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    if _is_deep_grey(image):
        # In 8 bits Pillow inverts TIFF's white-is-zero, in 16 it does not.
        photometric = getattr(image, "tag_v2", {}).get(ExifTags.Base.PhotometricInterpretation)
        return _deep_grey(upright, path, profile, inverted=photometric == 0)
    colours, alpha = _without_alpha(upright)
    if profile:
        colours = _to_srgb(colours, profile)
    if colours.mode != "RGB":
        colours = colours.convert("RGB")
    return np.array(colours, np.float32), alpha


def _is_deep_grey(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _without_alpha(image: Image.Image):
    """The colours alone, and the transparency; grey stays grey, as its profile means it."""
    plain = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.has_transparency_data:
        image = image.convert("LA" if plain == "L" else "RGBA")
        return image.convert(plain), np.array(image.getchannel("A"))
    return (image.convert(plain) if image.mode in ("1", "P") else image), None


def _deep_grey(image: Image.Image, path: PathLike, profile: bytes | None, *, inverted: bool):
    """Pixels and transparency of more than 8 bits: three equal channels with their fractions."""
    grey = np.asarray(image)
    if image.mode == "F" or grey.min() < 0 or grey.max() > 65535:
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise JaxdreamError(
            f"{printable(path)} holds {kind} values of unknown range: save it in 8 or 16 bits"
        )
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else np.where(grey == transparent, 0, 255).astype(np.uint8)
    levels = np.divide(65535 - grey if inverted else grey, 257, dtype=np.float64)
    pixels = np.empty((*levels.shape, 3), np.float32)
    if profile:
        # A profile is a curve here, of which the library gives 256 points.
        ramp = np.arange(256, dtype=np.uint8)
        curve = np.asarray(_to_srgb(Image.fromarray(ramp[None]), profile).convert("RGB"))[0]
        for c in range(3):
            pixels[..., c] = np.interp(levels, ramp, curve[:, c])
    else:
        pixels[...] = levels[..., None]
    return pixels, alpha


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours as the picture's own profile means them; a broken or unfit one is ignored."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, srgb, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        if image.mode in ("L", "YCbCr"):  # which may carry a profile of RGB
            return _to_srgb(image.convert("RGB"), profile)
        return image
