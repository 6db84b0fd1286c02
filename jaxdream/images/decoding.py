"""Picture files of any format and colour mode, decoded: upright, in sRGB, as arrays."""

import io
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from jaxdream.errors import JaxdreamError
from jaxdream.images.atomic import reason

PathLike = str | os.PathLike[str]

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
_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 1 << 27)  # Pillow's own limit for an error

_warnings_lock = threading.Lock()


def file_content(path: Path) -> bytes:
    """The bytes of a picture file; why there are none in one line."""
    with _reading(path):
        content = path.read_bytes()
    if not content:
        raise JaxdreamError(f"{path} is empty")
    return content


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise JaxdreamError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise JaxdreamError(f"{path} is a folder: name the pictures in it") from None
    except (OSError, ValueError) as error:
        raise JaxdreamError(f"cannot read {path}: {reason(error)}") from error


def header_size(path: Path) -> tuple[int, int]:
    """Height and width of the picture in a file, set upright; only its header is read."""
    with _reading(path):
        file = path.open("rb")
    with file, _opened(file, path) as image:
        width, height = image.size
        orientation = 1
        # Of a TIFF, Pillow gives the upright size; of a PNG that tells nothing of itself before
        # its pixels, asking for more would decode them.
        if image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info):
            orientation = exif(image).get(ExifTags.Base.Orientation, 1)
        return (width, height) if orientation in _SIDEWAYS else (height, width)


@contextmanager
def decoded(content: bytes, path: PathLike) -> Iterator[Image.Image]:
    """The file's picture, wholly decoded; what is wrong with it in one line."""
    with _opened(io.BytesIO(content), path) as image:
        if image.format in ("TIFF", "GIF"):  # which look at their metadata only now
            with quiet():
                image.load()
        image.load()
        yield image


@contextmanager
def _opened(file: io.BytesIO | io.BufferedReader, path: PathLike) -> Iterator[Image.Image]:
    """The file's picture; whatever is found to be wrong with it in the block, in one line."""
    try:
        with quiet():
            image = Image.open(file, formats=READ_FORMATS)
        with image:
            yield image
    except JaxdreamError:
        raise
    except UnidentifiedImageError:
        raise JaxdreamError(f"{path} is not a picture of {', '.join(READ_FORMATS)}") from None
    except Exception as error:
        raise _undecodable(path, error) from error


def _undecodable(path: PathLike, error: Exception) -> JaxdreamError:
    """What to say of a file that a decoder failed on: damage shows itself as any exception."""
    what = f"is damaged or cut short: {reason(error)}"
    if isinstance(error, Image.DecompressionBombError):
        what = f"has more than the {MAX_PIXELS:,} pixels allowed"
    elif isinstance(error, MemoryError):
        what = "does not fit into memory"
    return JaxdreamError(f"{path} {what}")


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings from Pillow, of large pictures or odd metadata.

    Filters belong to all threads: one at a time changes them, and most decoding stays outside.
    """
    with _warnings_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def exif(image: Image.Image, ifd: int | None = None) -> Mapping[int, object]:
    """The picture's EXIF, or a part of it; broken EXIF is as good as none."""
    try:
        with quiet():
            return image.getexif() if ifd is None else image.getexif().get_ifd(ifd)
    except Exception:
        return {}


def rgb(image: Image.Image, path: PathLike):
    """Pixels and transparency of a loaded picture of any mode."""
    profile = image.info.get("icc_profile")
    # Not by ImageOps.exif_transpose: it writes the EXIF anew, and fails if any tag in it is odd.
    orientation = exif(image).get(ExifTags.Base.Orientation, 1)
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    upright = image if turn is None else image.transpose(turn)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        # In 8 bits Pillow inverts TIFF's white-is-zero, in 16 it does not.
        photometric = getattr(image, "tag_v2", {}).get(ExifTags.Base.PhotometricInterpretation)
        return _deep_grey(upright, path, profile, inverted=photometric == 0)
    colours, alpha = _without_alpha(upright)
    if profile:
        colours = _to_srgb(colours, profile)
    return np.array(colours.convert("RGB"), np.float32), alpha


def _without_alpha(image: Image.Image):
    """The colours alone, and the transparency; grey stays grey, as its profile means it."""
    plain = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.has_transparency_data:
        image = image.convert("LA" if plain == "L" else "RGBA")
        return image.convert(plain), np.array(image.getchannel("A"))
    return (image.convert(plain) if image.mode in ("1", "P") else image), None


def _deep_grey(image: Image.Image, path: PathLike, profile: bytes | None, *, inverted: bool):
    """Pixels and transparency of more than 8 bits: three like channels with their fractions."""
    grey = np.asarray(image).astype(np.float64)
    if image.mode == "F" or grey.min() < 0 or grey.max() > 65535:
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise JaxdreamError(f"{path} holds {kind} values of unknown range: save it in 8 or 16 bits")
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else np.where(grey == transparent, 0, 255).astype(np.uint8)
    levels = (65535 - grey if inverted else grey) / 257
    channels = [levels] * 3
    if profile:
        # A profile is a curve here, of which the library gives 256 points.
        ramp = np.arange(256, dtype=np.uint8)
        curve = np.asarray(_to_srgb(Image.fromarray(ramp[None]), profile).convert("RGB"))[0]
        channels = [np.interp(levels, ramp, curve[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32), alpha


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours as the picture's own profile means them; a broken or unfit one is as good as none."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, srgb, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        if image.mode in ("L", "YCbCr"):  # which may carry a profile of RGB
            return _to_srgb(image.convert("RGB"), profile)
        return image
