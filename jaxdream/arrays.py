"""The array types of annotations: what goes in may be NumPy's, what comes out is JAX's."""

import jax
import numpy as np

AnyArray = jax.Array | np.ndarray
