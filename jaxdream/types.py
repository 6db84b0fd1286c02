"""Types of annotations, and the precision of products."""

from typing import TypeAlias

import jax
import numpy as np

AnyArray = jax.Array | np.ndarray  # arguments may be NumPy's; results are JAX's
Device: TypeAlias = jax.Device  # pyright: ignore[reportInvalidTypeForm]

# JAX rounds the inputs of float32 products on TPU and some GPUs by default; bfloat16 stays bfloat16
# with this too.
EXACT = jax.lax.Precision.HIGHEST
