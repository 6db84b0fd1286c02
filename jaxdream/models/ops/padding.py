"""TensorFlow's padding, whose place depends on the size of the map."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxdream.models.ops.base import Side, SizedOp, floor_div


@dataclass(frozen=True)
class PadSame(SizedOp):
    """The zeros that TensorFlow puts around a map for an operation with padding "SAME".

    That operation, which comes next, has this window and stride, and no padding of its own. Its
    output has one position for each ``stride`` of the map's, rounded up. Half of the zeros come
    before the map, rounded down, and how many there are depends on its height and width: for a
    window of 7 and a stride of 2 they are 5 where that is even, and 6 where it is odd. (With a
    stride of 1 there is nothing that depends on the size: such an operation pads by itself.)

    Before a max-pool the map must not be negative.
    """

    side: int  # of the window
    step: int  # the stride

    def output_size(self, size: tuple[Side, Side]) -> tuple[Side, Side]:
        height, width = (n + self._zeros(n) for n in size)
        return height, width

    def _zeros(self, n: Side) -> Side:
        """Zeros before and after a row of this length."""
        return self.side - 1 - (n - 1 - self.step * floor_div(n - 1, self.step))

    def reach(self, axis: int) -> tuple[int, int]:
        del axis
        return (self.side - 1) // 2, -((self.side - self.step) // 2)

    @property
    def needs_border(self) -> bool:
        return True

    def apply(self, *inputs: Array) -> Array:
        (x,) = inputs
        around = [(self._zeros(n) // 2, self._zeros(n) - self._zeros(n) // 2) for n in x.shape[1:3]]
        return jnp.pad(x, [(0, 0), *around, (0, 0)])

    def sized_apply(self, x: Array, size: tuple[Side, Side]) -> Array:
        for axis, n in enumerate(size, start=1):
            before = floor_div(self._zeros(n), 2)
            # One of a few places, so that the program is the same for all sizes.
            first, *others = range((self.side - self.step) // 2, (self.side - 1) // 2 + 1)
            shifted = self._shifted(x, axis, first)
            for count in others:
                shifted = jnp.where(before == count, self._shifted(x, axis, count), shifted)
            x = shifted
        return x

    def _shifted(self, x: Array, axis: int, before: int) -> Array:
        around = [(0, 0, 0)] * x.ndim
        around[axis] = (before, self.side - 1 - before, 0)
        return jax.lax.pad(x, jnp.zeros((), x.dtype), around)
