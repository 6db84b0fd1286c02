"""How a gradient becomes a step: the step of 2015, and optax's optimisers in its place.

All are optax transformations on one picture's gradient, (h, w, 3). Like all of optax they minimise,
so they are given the gradient of the negated objective. Where a picture is padded, the gradient is
0 on the padding, and ``update`` is told by ``valid_count`` how many values are the picture's; where
it has a mask, by ``mask`` how much each pixel counts.
"""

import difflib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Integer

from jaxdream.errors import JaxdreamError, nearest_names
from jaxdream.settings import CLASSIC, SPHERE, DreamSettings
from jaxdream.types import AnyArray

# lbfgs needs the objective's value at other places, noisy_sgd a key; the last is deprecated.
_LEFT_OUT = ("lbfgs", "noisy_sgd", "optimistic_adam")

Count = int | np.integer | Integer[AnyArray, ""] | None
Mask = Float[AnyArray, "h w 1"] | None


def normalize_by_mean_abs() -> optax.GradientTransformationExtraArgs:
    """Divides a gradient by the mean of its absolute values; a zero gradient stays zero.

    ``update`` takes ``valid_count`` and ``mask``, as ``mean_abs``.
    """

    def update(updates, state, params=None, *, valid_count: Count = None, mask: Mask = None, **_):
        del params

        def normalize(gradient: Array) -> Array:
            return _divided(gradient, mean_abs(gradient, valid_count, mask))

        return jax.tree.map(normalize, updates), state

    def init(params):
        del params
        return optax.EmptyState()

    return optax.GradientTransformationExtraArgs(init, update)


@jax.jit
def mean_abs(
    gradient: Float[Array, "..."], valid_count: Count = None, mask: Mask = None
) -> Float[Array, ""]:
    """The mean of absolute values of a picture's gradient.

    Args:
        valid_count: over how many of them, where the others are 0; by default all.
        mask: how much each pixel counts, instead; 0 on padding.
    """
    total = jnp.abs(gradient)
    if mask is not None:
        return jnp.sum(total * mask) / (gradient.shape[-1] * jnp.sum(mask))
    return jnp.mean(total) if valid_count is None else jnp.sum(total) / valid_count


def classic_optimizer(
    step_size: float | Float[AnyArray, ""] = DreamSettings.step_size,
) -> optax.GradientTransformationExtraArgs:
    """The step of 2015: ``step_size`` pixel levels on average. Any optax optimiser may replace it.

    Like all of optax it minimises, so it is given the gradient of the negated objective, (h, w, 3),
    per pixel level.

    Source: ``make_step`` of Google's 2015 notebook.
    """
    return optax.chain(normalize_by_mean_abs(), optax.scale(-1.0), optax.scale(step_size))  # pyright: ignore[reportArgumentType]


def make_optimizer(
    optimizer: str | optax.GradientTransformation = CLASSIC,
    *,
    step_size: float | Float[AnyArray, ""] = DreamSettings.step_size,
    smooth: float = DreamSettings.smooth,
    laplacian: int = DreamSettings.laplacian,
) -> optax.GradientTransformationExtraArgs:
    """An optimiser on a gradient that is blurred and normalised first.

    Args:
        optimizer: ``classic``, the name of an optax optimiser such as ``adam``, or one itself.
        step_size: learning rate of one that is named, in pixel levels of 255: each is given a
            gradient whose absolute values have a mean of 1.
        smooth: standard deviation in pixels of ``gaussian_blur``; 0 for none.
        laplacian: levels of ``normalize_by_laplacian_pyramid``; 0 for none.

    Raises:
        JaxdreamError: an unknown name (says the nearest), or a setting out of range.
    """
    DreamSettings(smooth=smooth, laplacian=laplacian)  # which checks them
    before = [gaussian_blur(smooth)] if smooth else []
    if laplacian:
        before.append(normalize_by_laplacian_pyramid(laplacian))
    if not isinstance(optimizer, str):
        return optax.chain(*before, optimizer)
    if optimizer == CLASSIC:
        return optax.chain(*before, classic_optimizer(step_size))
    make = _optax_optimizer(optimizer)
    return optax.chain(*before, normalize_by_mean_abs(), make(learning_rate=step_size))


@dataclass(frozen=True)
class StepRule:
    """What a step does with its gradient, except for the step size, which is data of a program.

    It is hashable, so that it can be a static argument: equal rules share their programs.
    """

    optimizer: str | optax.GradientTransformation = CLASSIC
    smooth: float = 0.0
    laplacian: int = 0
    clip: bool = True
    sphere: bool = False

    @classmethod
    def of(cls, settings: DreamSettings) -> "StepRule":
        """The rule that settings ask for.

        Raises:
            JaxdreamError: an unknown optimiser.
        """
        if isinstance(settings.optimizer, str) and settings.optimizer != CLASSIC:
            _optax_optimizer(settings.optimizer)  # which checks the name
        return cls(
            settings.optimizer, settings.smooth, settings.laplacian, settings.clip,
            sphere=settings.seamless == SPHERE,
        )  # fmt: skip

    def make(self, step_size: float | Float[AnyArray, ""]) -> optax.GradientTransformationExtraArgs:
        """The optimiser; the step size is for one that is given by name."""
        rate = step_size if isinstance(self.optimizer, str) else DreamSettings.step_size
        return make_optimizer(
            self.optimizer, step_size=rate, smooth=self.smooth, laplacian=self.laplacian
        )

    @property
    def allows_padding(self) -> bool:
        """Whether pictures of many sizes can share its programs, in padded arrays."""
        whole = self.smooth or self.laplacian or self.sphere
        return not whole and _ignores_padding(self.optimizer)


# The primitives of JAX that compute each value of an array from the same place of others.
_ELEMENTWISE = frozenset({
    "abs", "add", "and", "broadcast_in_dim", "cbrt", "clamp", "convert_element_type", "copy", "div",
    "eq", "exp", "expm1", "ge", "gt", "integer_pow", "is_finite", "le", "log", "log1p", "logistic",
    "lt", "max", "min", "mul", "ne", "neg", "not", "or", "pow", "rsqrt", "select_n", "sign", "sqrt",
    "square", "stop_gradient", "sub", "tanh", "xor",
})  # fmt: skip


@cache
def _ignores_padding(optimizer: str | optax.GradientTransformation) -> bool:
    """Whether an update of a value depends on no other value, except through ``mean_abs``."""
    if isinstance(optimizer, str):
        if optimizer == CLASSIC:
            return True
        optimizer = _optax_optimizer(optimizer)(learning_rate=1.0)
    shape = (5, 7, 3)

    def steps(gradient: Array, image: Array, valid_count: Array):
        update = optax.with_extra_args_support(optimizer).update
        state = optimizer.init(image)
        _, state = update(gradient, state, image, valid_count=valid_count)
        return update(gradient, state, image, valid_count=valid_count)[0]

    picture = jax.ShapeDtypeStruct(shape, jnp.float32)
    try:
        traced = jax.make_jaxpr(steps)(picture, picture, jax.ShapeDtypeStruct((), jnp.int32))
    except Exception:  # an optimiser may ask for more than a gradient; it then gets exact shapes
        return False
    return _is_elementwise(traced.jaxpr, shape)


def _is_elementwise(jaxpr, shape: tuple[int, ...]) -> bool:
    """Whether no equation of a program mixes the places of an array of this shape."""
    for equation in jaxpr.eqns:
        shapes = [getattr(variable.aval, "shape", ()) for variable in equation.invars]
        if shape not in shapes:
            if any(len(other) > 0 for other in shapes):
                return False
            continue
        inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        if equation.params.get("name") == "mean_abs":
            continue
        if inner is not None:
            if not _is_elementwise(getattr(inner, "jaxpr", inner), shape):
                return False
        elif equation.primitive.name not in _ELEMENTWISE or any(
            variable.aval.shape != shape for variable in equation.outvars
        ):
            return False
    return True


def gaussian_blur(sigma: float) -> optax.GradientTransformation:
    """Blurs a gradient, (h, w, 3), by a Gaussian: larger shapes, less grain.

    Args:
        sigma: standard deviation in pixels, over 0 and at most 100.

    Raises:
        JaxdreamError: ``sigma`` is out of range.
    """
    if not 0 < sigma <= 100:
        raise JaxdreamError(f"sigma of a blur is over 0 and at most 100 pixels, not {sigma}")
    radius = math.ceil(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)

    def blur(gradient: Array) -> Array:
        for axis in (0, 1):
            pads = [(radius, radius) if i == axis else (0, 0) for i in range(3)]
            gradient = _filter(jnp.pad(gradient, pads, mode="edge"), kernel, axis)
        return gradient

    return optax.stateless(lambda updates, _: jax.tree.map(blur, updates))


def normalize_by_laplacian_pyramid(levels: int = 4) -> optax.GradientTransformation:
    """Gives every band of frequencies of a gradient, (h, w, 3), the same strength.

    The gradient is split into a Laplacian pyramid of ``levels`` bands and a rest, each is divided
    by its standard deviation, and they are put together again. Coarse structure, weak in a plain
    gradient, grows as fast as fine.

    Source: ``lap_normalize`` of A. Mordvintsev's DeepDream tutorial for TensorFlow, 2016; the
    pyramid is Burt and Adelson's, 1983.

    Raises:
        JaxdreamError: fewer than 1 level, or more than 16.
    """
    if not 1 <= levels <= 16:
        raise JaxdreamError(f"levels of a Laplacian pyramid are 1 to 16, not {levels}")

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


def _optax_optimizer(name: str) -> Callable[..., optax.GradientTransformation]:
    known = _optax_optimizers()
    if name not in known:
        near = difflib.get_close_matches(name, [CLASSIC, *known], n=3, cutoff=0)
        raise JaxdreamError(f"no optimizer {name!r}: {nearest_names(near)}")
    return known[name]


@cache
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
