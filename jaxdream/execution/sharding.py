"""Several devices of one process: the pictures of a batch among them, or the rows of one picture.

Weights are on every device. Of a batch, each device has its own pictures, and nothing is exchanged.
Of one large picture every device has all pixels, which are small beside a network's maps, and
computes the maps of its own rows; XLA's partitioner fetches the rows that a window needs from the
neighbours (halo exchange), and the gradient is put together at the end of each step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from jaxdream.errors import JaxdreamError
from jaxdream.types import Device

Tree = TypeVar("Tree")

_AXIS = "devices"  # the name of the mesh's only axis


@dataclass(frozen=True)
class Sharding:
    """What is shared out among which devices; from ``shard_pictures`` or ``shard_rows``."""

    mesh: Mesh  # of one axis
    what: Literal["pictures", "rows"]

    @property
    def count(self) -> int:
        """How many devices there are."""
        return self.mesh.size

    @property
    def devices(self) -> list[Device]:
        """The devices, in order."""
        return list(self.mesh.devices.flat)

    @property
    def pictures(self) -> int:
        """Among how many devices the pictures of a batch are shared out."""
        return self.count if self.what == "pictures" else 1

    @property
    def rows(self) -> int:
        """Among how many devices the rows of a picture are shared out."""
        return self.count if self.what == "rows" else 1

    def check(self, batch: tuple[int, ...]) -> None:
        """Make sure that a batch of this shape, () for one picture, can be shared out.

        Raises:
            JaxdreamError: it cannot.
        """
        if self.what == "rows":
            return
        if not batch:
            raise JaxdreamError(
                "pictures are shared out among devices, and this is only one: give a batch, or "
                "share out its rows (shard_rows)"
            )
        if batch[0] % self.count:
            raise JaxdreamError(
                f"{batch[0]} pictures do not share out evenly among {self.count} devices: give a "
                f"multiple of {self.count}"
            )

    def replicate(self, tree: Tree) -> Tree:
        """The arrays of a pytree, on every device; those that already are stay as they are."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec()))

    def along(self, axis: int = 0) -> NamedSharding:
        """Of an array that has the pictures of a batch in this axis; rows are on every device."""
        axes = [None] * axis + [_AXIS] if self.what == "pictures" else []
        return NamedSharding(self.mesh, PartitionSpec(*axes))

    def place(self, tree: Tree, axis: int = 0) -> Tree:
        """Arrays on the devices, ``along`` an axis; of a program to be lowered, their shapes."""
        sharding = self.along(axis)

        def placed(leaf):
            if isinstance(leaf, jax.ShapeDtypeStruct):
                return leaf.update(sharding=sharding)
            return jax.device_put(leaf, sharding)

        return jax.tree.map(placed, tree)

    def keep(self, tree: Tree) -> Tree:
        """In a program: arrays that leave it as they came in, so that it can take them again."""
        return jax.lax.with_sharding_constraint(tree, self.along())

    def split(self, image: Float[Array, "*n h w c"]) -> Float[Array, "*n h w c"]:
        """In a program: the picture as the network gets it, and with it the maps, by rows."""
        if self.what == "pictures":
            return image
        # Only whole shares can be asked for; what is cut out of them keeps its place.
        height = image.shape[-3]
        beyond = [(0, 0)] * image.ndim
        beyond[-3] = (0, -height % self.count)
        rows = PartitionSpec(*[None] * (image.ndim - 3), _AXIS)
        shares = jax.lax.with_sharding_constraint(
            jnp.pad(image, beyond), NamedSharding(self.mesh, rows)
        )
        return shares[..., :height, :, :]


def shard_pictures(devices: Sequence[Device] | None = None) -> Sharding:
    """Shares out the pictures of a batch, a multiple of the devices, among all of them.

    ``devices`` are by default those of this process.

    Raises:
        JaxdreamError: no devices.
    """
    return Sharding(_mesh(devices), "pictures")


def shard_rows(devices: Sequence[Device] | None = None) -> Sharding:
    """Shares out the rows of a picture, of any height, or of each of a batch, among all devices.

    ``devices`` are by default those of this process.

    Raises:
        JaxdreamError: no devices.
    """
    return Sharding(_mesh(devices), "rows")


def _mesh(devices: Sequence[Device] | None) -> Mesh:
    devices = jax.local_devices() if devices is None else devices
    if not devices:
        raise JaxdreamError("there must be at least one device")
    return Mesh(np.array(devices, object), (_AXIS,))
