"""What several folders share: types of annotations, exact products, dataclasses as pytrees.

What goes into a function may be NumPy's, what comes out is JAX's.
"""

from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, TypeVar

import jax
import numpy as np
from jaxtyping import Array, Key, UInt32

AnyArray = jax.Array | np.ndarray
Device: TypeAlias = jax.Device  # pyright: ignore[reportInvalidTypeForm]
Size = tuple[int, int]  # height and width, in pixels


def default_device() -> Device:
    """The device that JAX computes on by default."""
    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(chosen, str):
        return jax.local_devices(backend=chosen)[0]
    return chosen or jax.local_devices()[0]


OneKey = Key[Array, ""] | UInt32[Array, "2"]  # a JAX random key, new or old style
Keys = Key[Array, "*keys"] | UInt32[Array, "*keys 2"]  # one key, or one for each picture
AnyKeys = Keys | int  # a whole number is the seed of one key

# By default JAX rounds float32 to less on TPU and some GPUs. bfloat16 stays bfloat16 with this too.
EXACT = jax.lax.Precision.HIGHEST

STATIC = {"static": True}  # metadata of a field that is part of the program, not of the data
_Class = TypeVar("_Class", bound=type)


def pytree(cls: _Class) -> _Class:
    """Makes a dataclass a pytree: its fields are the children, except those marked ``STATIC``.

    JAX's ``register_dataclass`` calls the constructor with whatever JAX puts in the place of
    arrays, which checked annotations refuse; this does not.
    """
    static = {each.name: bool(each.metadata.get("static")) for each in fields(cls)}
    children = tuple(name for name in static if not static[name])
    others = tuple(name for name in static if static[name])

    def flatten(node):
        keyed = [(jax.tree_util.GetAttrKey(name), getattr(node, name)) for name in children]
        return keyed, tuple(getattr(node, name) for name in others)

    def unflatten(values, leaves):
        node = object.__new__(cls)
        node.__dict__.update(zip(others, values, strict=True))
        node.__dict__.update(zip(children, leaves, strict=True))
        return node

    jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)
    return cls


@pytree
@dataclass(frozen=True)
class Flattened:
    """A pytree that was flattened before: given to a program many times, that costs no more.

    The thousand small objects of a network take half a millisecond each time.
    """

    leaves: tuple[Any, ...]
    structure: Any = field(metadata=STATIC)

    @classmethod
    def of(cls, tree: Any) -> "Flattened":
        """The pytree, flattened."""
        leaves, structure = jax.tree.flatten(tree)
        return cls(tuple(leaves), structure)

    def restore(self) -> Any:
        """The pytree that it was made of."""
        return jax.tree.unflatten(self.structure, self.leaves)
