"""The numbers that a network computes with: which a device multiplies fast, and gradients in them.

float32 is exact everywhere. bfloat16 has the range of float32. float16 has more digits and little
range: from 6e-8 to 65504. Activations fit in it, gradients do not: those of one layer can be a
million times those of another, and the objective's own scale is the user's. So what the network is
given to propagate back is scaled first, and the picture's gradient is scaled back in float32
("loss scaling", Micikevicius et al. 2018, with the scale of each gradient instead of a guessed
one).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.settings import PRECISION_OPTIONS, Precision, PrecisionOption
from jaxdream.types import Device, default_device

# The largest absolute value that a float16 network is given to propagate back. Gradients grow on
# their way to the picture by less than a hundred times, and shrink by more.
LARGEST_COTANGENT = 64.0
_LEAST = 2.0**-100  # a gradient that is smaller is scaled as if it were so large

Propagate = Callable[..., tuple[Array, ...]]


def check_precision(option: str) -> None:
    """Make sure that it is one of the precisions, or "auto".

    Raises:
        JaxdreamError: it is another.
    """
    if option not in PRECISION_OPTIONS:
        *others, last = PRECISION_OPTIONS
        raise JaxdreamError(f"precision is {', '.join(others)} or {last}, not {option!r}")


def resolve_precision(option: PrecisionOption, device: Device | None = None) -> Precision:
    """The precision that an option stands for; "auto" is what the device multiplies fast.

    TPUs and NVIDIA's GPUs from Ampere on (compute capability 8) multiply bfloat16; Volta and Turing
    (7, the T4 of free Colab among them) multiply float16 only; a CPU, and what is not known here,
    multiplies float32.

    Args:
        device: by default the one JAX computes on.

    Raises:
        JaxdreamError: an unknown option.
    """
    check_precision(option)
    if option != "auto":
        return option
    device = device or default_device()
    if device.platform == "tpu":
        return "bfloat16"
    capability = str(getattr(device, "compute_capability", ""))
    major = capability.split(".")[0]
    if device.platform not in ("gpu", "cuda") or not major.isdecimal():
        return "float32"
    if int(major) >= 8:
        return "bfloat16"
    return "float16" if int(major) == 7 else "float32"


def product_precision() -> jax.lax.Precision:
    """How exactly XLA multiplies float32 numbers on the platform that JAX computes on.

    A TPU makes a product of three bfloat16 products (HIGH) or of six (HIGHEST); with three a step
    differs by less than a hundredth of a level on average (docs/accelerators.md). On GPUs HIGH
    allows TF32, which has the digits of float16. bfloat16 and float16 stay what they are with
    either.
    """
    on_tpu = jax.default_backend() == "tpu"
    return jax.lax.Precision.HIGH if on_tpu else jax.lax.Precision.HIGHEST


def compute_in(
    precision: Precision, function: Callable[[Array], tuple[Array, ...]], x: Float[Array, "..."]
) -> tuple[Float[Array, "..."], ...]:
    """``function(x)`` with ``x`` in a precision; the results, and gradients of them, are float32.

    Args:
        function: a network of this precision; it is differentiated in reverse mode.
    """

    def compute(x: Array) -> tuple[Array, ...]:
        return tuple(each.astype(jnp.float32) for each in function(x.astype(precision)))

    return propagate_scaled(compute, x) if precision == "float16" else compute(x)


def propagate_scaled(
    function: Callable[[Array], tuple[Array, ...]], x: Float[Array, "..."]
) -> tuple[Float[Array, "..."], ...]:
    """``function(x)``, whose gradient is computed with scaled cotangents.

    Args:
        function: of an array, without side effects; it is differentiated in reverse mode.
        x: in float32, as what ``function`` gives.
    """
    scaled = jax.custom_vjp(function)

    def forward(x: Array):
        return jax.vjp(function, x)

    def backward(pullback: Propagate, cotangents: tuple[Array, ...]) -> tuple[Array, ...]:
        largest = jnp.max(jnp.stack([jnp.max(jnp.abs(ct)) for ct in cotangents]))
        # A power of two, so that scaling rounds nothing.
        _, exponent = jnp.frexp(jnp.maximum(largest, _LEAST))
        scale = jnp.ldexp(jnp.float32(LARGEST_COTANGENT), -exponent)
        (gradient,) = pullback(tuple(ct * scale for ct in cotangents))
        return (gradient / scale,)

    scaled.defvjp(forward, backward)
    return scaled(x)
