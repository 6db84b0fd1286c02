"""Masks: how much of a dream each pixel takes, float32, (h, w), 0..1."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jax.core import Tracer
from jaxtyping import Float, Num

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import PathLike
from jaxdream.images.picture_files import Picture, read_picture
from jaxdream.images.pixels import LUMA, as_pixels
from jaxdream.images.resample import resize
from jaxdream.settings import SourceSettings
from jaxdream.types import AnyArray, Size

ALPHA = "alpha"  # instead of a file: the picture's own transparency


def check_mask(mask: Num[AnyArray, "*n h w"], size: Size, *, name: str = "mask") -> None:
    """Make sure that an array is a mask, or several, for pictures of this height and width.

    The values of a traced array are not looked at.

    Raises:
        JaxdreamError: its shape is another, its values are not from 0 to 1, or all are 0.
    """
    if tuple(np.shape(mask)[-2:]) != tuple(size):
        raise JaxdreamError(
            f"{name} has the shape {np.shape(mask)} and the picture {size[0]}x{size[1]} (height x "
            "width): both need the same"
        )
    check_shares(mask, name=name)
    if isinstance(mask, Tracer):
        return
    for one in np.asarray(mask).reshape(-1, *size):
        if not one.any():
            raise JaxdreamError(f"{name} is 0 everywhere: nothing would be dreamed")


def check_shares(mask: Num[AnyArray, "..."], *, name: str) -> None:
    """Make sure that the values of an array are from 0 to 1; a traced array's are not looked at.

    Raises:
        JaxdreamError: they are not.
    """
    if isinstance(mask, Tracer):
        return
    values = np.asarray(mask)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise JaxdreamError(
            f"{name} has values outside of 0..1: 0 where nothing is dreamed, 1 for all of the dream"
        )


def masks_of(mask: AnyArray, batch: tuple[int, ...], size: Size) -> list[AnyArray]:
    """The mask of each picture of a batch of this height and width.

    Args:
        mask: one for all, (h, w), or one for each, (n, h, w).
        batch: (n,), or () for a single picture.

    Raises:
        JaxdreamError: as ``check_mask``, or there is another number of them.
    """
    check_mask(mask, size)
    mask = mask if isinstance(mask, Tracer) else np.asarray(mask, np.float32)
    if mask.ndim == 2:
        return [mask] * (batch[0] if batch else 1)
    if mask.shape[:-2] != batch:
        raise JaxdreamError(f"mask has the shape {mask.shape} for {batch or 1} pictures")
    return list(mask)


def average_areas(mask: Float[AnyArray, "h w"], size: Size) -> Float[AnyArray, "oh ow"]:
    """A mask at another height and width: each pixel the average of the area that it covers.

    What is exactly 0 stays so. NumPy's array gives NumPy's.
    """
    traced = isinstance(mask, Tracer)
    if traced:
        import jax.numpy as xp
    else:
        xp, mask = np, np.asarray(mask, np.float64)  # sums, of which differences are taken
    for axis, n_out in enumerate(size):
        n_in = mask.shape[axis]
        if n_in == n_out:
            continue
        ends = np.arange(n_out + 1) * (n_in / n_out)
        low = np.minimum(ends.astype(int), n_in - 1)
        sums = xp.cumsum(mask, axis=axis)
        first = xp.zeros_like(xp.take(sums, np.array([0]), axis=axis))
        sums = xp.concatenate([first, sums], axis=axis)
        shape = (-1, 1) if axis == 0 else (1, -1)
        below, above = xp.take(sums, low, axis=axis), xp.take(sums, low + 1, axis=axis)
        # In this form, so that equal neighbours give their own value exactly.
        at_ends = below + (ends - low).reshape(shape) * (above - below)
        mask = xp.diff(at_ends, axis=axis) * (n_out / n_in)
    return xp.clip(mask, 0, 1).astype(np.float32)


def feather(mask: Float[np.ndarray, "h w"], sigma: float) -> Float[np.ndarray, "h w"]:
    """A mask with soft edges: blurred by a Gaussian of this standard deviation in pixels."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(mask, sigma, mode="nearest") if sigma else mask


@dataclass(frozen=True)
class MaskSource:
    """Where the masks of a run's pictures come from: a file, or their own transparency."""

    name: str  # of the file, or ``ALPHA``
    shares: Float[np.ndarray, "h w"] | None  # of the file; None for the pictures' transparency
    sha256: str  # of the file; empty without one
    invert: bool
    feather: float  # standard deviation in pixels
    notify: Callable[[str], None]
    _told: list[str] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def asked(cls, source: SourceSettings, notify: Callable[[str], None]) -> "MaskSource | None":
        """What the settings ask for; None without a mask.

        Args:
            notify: is called with a line, once, where a mask has another size than its picture.

        Raises:
            JaxdreamError: the file cannot be read, or is no picture.
        """
        if source.mask is None:
            return None
        options = source.mask_invert, source.mask_feather, notify
        if source.mask == ALPHA:
            return cls(ALPHA, None, "", *options)
        picture = read_picture(source.mask)
        if os.path.basename(source.mask) == ALPHA:
            raise JaxdreamError(f"{source.mask}: rename the file, since --mask alpha means another")
        return cls(source.mask, brightness(picture), picture.sha256, *options)

    def named(
        self, source: SourceSettings, files: Mapping[str, str]
    ) -> tuple[SourceSettings, dict[str, str]]:
        """The settings and the hashes of files by name, as a recipe has them: without folders.

        Raises:
            JaxdreamError: another of the files has the mask's name.
        """
        if self.shares is None:
            return source, dict(files)
        name = os.path.basename(self.name)
        if files.get(name, self.sha256) != self.sha256:
            raise JaxdreamError(f"two files are named {name}: rename one of them")
        return source.replace(mask=name), {**files, name: self.sha256}

    def of(self, picture: Picture, path: str) -> Float[np.ndarray, "h w"]:
        """The mask of a picture, at its size, 0..1.

        Args:
            path: of the picture, for messages.

        Raises:
            JaxdreamError: nothing would be dreamed, or the picture has no transparency.
        """
        height, width, _ = picture.pixels.shape
        if self.shares is not None:
            mask = self._at_size((height, width), path)
        elif picture.alpha is None:
            raise JaxdreamError(f"{path} has no transparency that could be its mask")
        else:
            mask = picture.alpha.astype(np.float32) / 255
        mask = feather(1 - mask if self.invert else mask, self.feather)
        if not mask.any():
            colour = "white" if self.invert else "black"
            what = f"{path} is transparent" if self.shares is None else f"{self.name} is {colour}"
            raise JaxdreamError(f"the mask {what} everywhere: nothing would be dreamed")
        return mask

    def _at_size(self, size: Size, path: str) -> Float[np.ndarray, "h w"]:
        assert self.shares is not None
        height, width = self.shares.shape
        if (height, width) == size:
            return self.shares
        if not self._told:
            line = f"the mask {self.name} is {width}x{height} pixels: it is resized for {path}"
            self._told.append(line)
            self.notify(line)
        return resize_mask(self.shares, size)


def read_mask(
    name: PathLike,
    picture: Picture | Num[AnyArray, "h w 3"],
    *,
    invert: bool = False,
    feather: float | int = 0.0,
) -> Float[np.ndarray, "h w"]:
    """The mask in a picture file, at the size of the picture that it is for: 0..1.

    Args:
        name: of the file, where white is 1 and black 0, and what is transparent is black; or
            "alpha" for the transparency of ``picture`` itself.
        picture: what it is for, from ``read_picture`` or ``read_image``.
        invert: let black be 1 instead.
        feather: soften its edges by a Gaussian of this standard deviation, in pixels.

    Raises:
        JaxdreamError: the file cannot be read, or is no picture; the mask is 0 everywhere; or the
            picture has no transparency that could be one.
    """
    asked = {"mask": os.fspath(name), "mask_invert": invert, "mask_feather": feather}
    source = SourceSettings().replace(**asked)
    masks = MaskSource.asked(source, lambda _: None)
    assert masks is not None
    if not isinstance(picture, Picture):
        picture = Picture(as_pixels(picture), None, "")
    return masks.of(picture, "the picture")


def resize_mask(mask: Float[np.ndarray, "h w"], size: Size) -> Float[np.ndarray, "oh ow"]:
    """A mask at another height and width: averaged where that is smaller, else interpolated."""
    height, width = mask.shape
    smaller = average_areas(mask, (min(height, size[0]), min(width, size[1])))
    return np.asarray(resize(smaller[..., None], size))[..., 0].clip(0, 1)


def brightness(picture: Picture) -> Float[np.ndarray, "h w"]:
    """The brightness of a picture's pixels, 0..1; what is transparent is black."""
    shares = pixel_brightness(picture.pixels)
    if picture.alpha is not None:
        shares *= picture.alpha / 255
    return shares.clip(0, 1).astype(np.float32)


def pixel_brightness(pixels: Num[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """The brightness of pixels (RGB, 0..255), 0..1, in float64, so that white is 1."""
    return pixels @ np.array(LUMA) / 255
