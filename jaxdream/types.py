"""What all modules share: the types of annotations, and the precision of matrix products."""

from typing import TypeAlias

import jax
import numpy as np

AnyArray = jax.Array | np.ndarray  # what goes in; what comes out is jax.Array
Device: TypeAlias = jax.Device  # pyright: ignore[reportInvalidTypeForm]

# Of matrix products that must be right to float32: a GPU or TPU rounds their factors otherwise.
EXACT = jax.lax.Precision.HIGHEST
