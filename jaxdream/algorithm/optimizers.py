"""How a gradient becomes a step: the step of 2015, and optax's optimisers in its place.

All are optax transformations on one picture's gradient, (h, w, 3). Like all of optax they minimise,
so they are given the gradient of the negated objective.
"""

import difflib
import inspect
import math
from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.types import AnyArray

CLASSIC = "classic"
# They need the objective's value at other places, or a key; the last is deprecated in optax.
_LEFT_OUT = ("lbfgs", "noisy_sgd", "optimistic_adam")


Count = int | Integer[AnyArray, ""] | None


def normalize_by_mean_abs(count: Count = None) -> optax.GradientTransformation:
    """Divides a gradient by the mean of its absolute values; a zero gradient stays zero.

    The mean is over ``count`` values, by default all; for a picture on a larger canvas, whose
    other values are zero.
    """

    def update(updates, state, params=None):
        del params

        def normalize(gradient: Array) -> Array:
            return _divided(gradient, mean_abs(gradient, count))

        return jax.tree.map(normalize, updates), state

    def init(params):
        del params
        return optax.EmptyState()

    return optax.GradientTransformation(init, update)


def mean_abs(gradient: Float[Array, "..."], count: Count = None) -> Float[Array, ""]:
    """The mean of absolute values, over ``count`` of them where the others are zero."""
    total = jnp.abs(gradient)
    return jnp.mean(total) if count is None else jnp.sum(total) / count


def classic_optimizer(
    step_size: float | Float[Array, ""], count: Count = None
) -> optax.GradientTransformation:
    """The step of 2015: ``step_size`` pixel levels on average. Any optax optimiser may replace it.

    Like all of optax it minimises, so it is given the gradient of the negated objective, (h, w, 3),
    per pixel level. The mean is over ``count`` values, by default all.
    """
    return optax.chain(normalize_by_mean_abs(count), optax.scale(-1.0), optax.scale(step_size))


def optimizer_names() -> tuple[str, ...]:
    """``classic``, and every optimiser of optax that needs no more than a learning rate."""
    return (CLASSIC, *sorted(_optax_optimizers()))


@cache
def named_optimizer(
    name: str, *, step_size: float = 1.5, smooth: float = 0.0, laplacian: int = 0
) -> optax.GradientTransformation:
    """An optimiser by name, on a gradient that is smoothed, levelled and normalised first.

    Asked for twice it is the same object, so that its programs are compiled once.

    Args:
        name: ``classic``, or that of an optax optimiser, such as ``adam``.
        step_size: its learning rate, in pixel levels of 255: whichever the optimiser, it is given
            a gradient whose absolute values have a mean of 1.
        smooth: standard deviation in pixels of ``smooth_gradient``; 0 for none.
        laplacian: levels of ``normalize_laplacian``; 0 for none.

    Raises:
        JaxdreamError: an unknown name (says the nearest), or a setting out of range.
    """
    if not (math.isfinite(smooth) and 0 <= smooth <= 100):
        raise JaxdreamError(f"gradients are smoothed by 0 to 100 pixels, not {smooth}")
    if not 0 <= laplacian <= 16:
        raise JaxdreamError(f"a Laplacian pyramid has 0 to 16 levels, not {laplacian}")
    if not math.isfinite(step_size):
        raise JaxdreamError(f"step size must be a finite number, not {step_size}")
    parts = [smooth_gradient(smooth)] if smooth else []
    if laplacian:
        parts.append(normalize_laplacian(laplacian))
    if name == CLASSIC:
        return optax.chain(*parts, classic_optimizer(step_size))
    known = _optax_optimizers()
    if name not in known:
        near = difflib.get_close_matches(name, [CLASSIC, *known], n=3, cutoff=0)
        raise JaxdreamError(f"no optimizer {name!r}: the nearest are {', '.join(near)}")
    return optax.chain(*parts, normalize_by_mean_abs(), known[name](learning_rate=step_size))


def smooth_gradient(sigma: float) -> optax.GradientTransformation:
    """Blurs a gradient, (h, w, 3), by a Gaussian of ``sigma`` pixels: larger shapes, less grain.

    Raises:
        JaxdreamError: ``sigma`` is not over 0.
    """
    if not (math.isfinite(sigma) and sigma > 0):
        raise JaxdreamError(f"a gradient is smoothed by more than 0 pixels, not {sigma}")
    reach = math.ceil(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)

    def blur(gradient: Array) -> Array:
        for axis in (0, 1):
            pads = [(reach, reach) if i == axis else (0, 0) for i in range(3)]
            gradient = _filter(jnp.pad(gradient, pads, mode="edge"), kernel, axis)
        return gradient

    return optax.stateless(lambda updates, _: jax.tree.map(blur, updates))


def normalize_laplacian(levels: int = 4) -> optax.GradientTransformation:
    """Gives every band of frequencies of a gradient, (h, w, 3), the same strength.

    The gradient is split into a Laplacian pyramid of ``levels`` bands and a rest, each is divided
    by its standard deviation, and they are put together again. Coarse structure, weak in a plain
    gradient, grows as fast as fine.

    Source: ``lap_normalize`` of A. Mordvintsev's DeepDream tutorial for TensorFlow, 2016; the
    pyramid is Burt and Adelson's, 1983.
    """

    def normalize(gradient: Array) -> Array:
        bands = []
        rest = gradient
        for _ in range(levels):
            if min(rest.shape[:2]) < 2:
                break
            smaller = _reduce(rest)
            bands.append(rest - _expand(smaller, rest.shape[:2]))
            rest = smaller
        total = _to_unit(rest)
        for band in reversed(bands):
            total = _to_unit(band) + _expand(total, band.shape[:2])
        return total

    return optax.stateless(lambda updates, _: jax.tree.map(normalize, updates))


_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16


def _reduce(image: Float[Array, "h w c"]) -> Float[Array, "rh rw c"]:
    """Half the size, rounded up."""
    for axis in (0, 1):
        pads = [(2, 2) if i == axis else (0, 0) for i in range(3)]
        image = _filter(jnp.pad(image, pads, mode="edge"), _BINOMIAL, axis, stride=2)
    return image


def _expand(image: Float[Array, "h w c"], size: tuple[int, ...]) -> Float[Array, "eh ew c"]:
    """Back to the size it was reduced from."""

    def spread(image: Array, axis: int) -> Array:
        config = [(0, 0, 0)] * 3
        config[axis] = (2, size[axis] - 2 * image.shape[axis] + 3, 1)
        return _filter(jax.lax.pad(image, jnp.zeros((), image.dtype), config), _BINOMIAL, axis)

    for axis in (0, 1):
        ones = jnp.ones([n if i == axis else 1 for i, n in enumerate(image.shape)], image.dtype)
        image = spread(image, axis) / spread(ones, axis)
    return image


def _filter(image: Array, kernel: np.ndarray, axis: int, stride: int = 1) -> Array:
    """Correlation along one axis, where the kernel fits."""
    count = (image.shape[axis] - len(kernel)) // stride + 1
    return sum(
        weight
        * jax.lax.slice_in_dim(image, i, i + stride * (count - 1) + 1, stride=stride, axis=axis)
        for i, weight in enumerate(kernel)
    )  # pyright: ignore[reportReturnType]


def _to_unit(band: Array) -> Array:
    return _divided(band, jnp.std(band))


def _divided(values: Array, size: Array) -> Array:
    """Values over their size, and zero where that is zero, in the gradient too."""
    return jnp.where(size > 0, values / jnp.where(size > 0, size, 1), 0)


def _optax_optimizers() -> dict[str, Callable[..., optax.GradientTransformation]]:
    return {name: make for name, make in vars(optax).items() if _needs_only_a_rate(make)}


def _needs_only_a_rate(make: object) -> bool:
    if not inspect.isfunction(make) or make.__name__.startswith("scale_by_"):
        return False
    if make.__name__ in _LEFT_OUT:
        return False
    first, *others = [*inspect.signature(make).parameters.values(), None]
    if first is None or first.name != "learning_rate":
        return False
    return all(other is None or other.default is not other.empty for other in others)
