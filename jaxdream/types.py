"""The types of annotations: what goes in may be NumPy's, what comes out is JAX's."""

from typing import TypeAlias

import jax
import numpy as np

AnyArray = jax.Array | np.ndarray
Device: TypeAlias = jax.Device  # pyright: ignore[reportInvalidTypeForm]
