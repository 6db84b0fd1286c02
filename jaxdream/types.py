"""The types of annotations: what goes in may be NumPy's, what comes out is JAX's."""

from typing import TypeAlias

import jax
import numpy as np
from jaxtyping import Array, Key, UInt32

AnyArray = jax.Array | np.ndarray
Device: TypeAlias = jax.Device  # pyright: ignore[reportInvalidTypeForm]
Size = tuple[int, int]  # height and width, in pixels

OneKey = Key[Array, ""] | UInt32[Array, "2"]  # a JAX random key, new or old style
Keys = Key[Array, "*keys"] | UInt32[Array, "*keys 2"]  # one key, or one for each picture

# By default JAX rounds float32 to less on TPU and some GPUs. bfloat16 stays bfloat16 with this too.
EXACT = jax.lax.Precision.HIGHEST
