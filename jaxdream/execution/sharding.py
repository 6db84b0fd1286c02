"""Several devices of one process share the pictures of a batch, or the rows of each picture.

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
from jaxdream.settings import SHARDS, SPHERE, DreamSettings
from jaxdream.types import Device

Tree = TypeVar("Tree")

_AXIS = "devices"  # the name of the mesh's only axis


@dataclass(frozen=True)
class Sharding:
    """What a group of devices shares; from ``shard_pictures`` or ``shard_rows``."""

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
        """How many devices share the pictures of a batch."""
        return self.count if self.what == "pictures" else 1

    @property
    def rows(self) -> int:
        """How many devices share the rows of a picture."""
        return self.count if self.what == "rows" else 1

    def check(self, batch: tuple[int, ...], settings: DreamSettings) -> None:
        """Make sure that the devices can share a batch of this shape, () for one picture.

        Raises:
            JaxdreamError: they cannot.
        """
        if self.what == "rows":
            if settings.seamless == SPHERE:
                raise JaxdreamError(
                    "the rows of a sphere cannot be shared among devices, since it is rotated: "
                    "leave out shard, or share the pictures of a batch"
                )
            return
        if not batch:
            raise JaxdreamError(
                "shard='pictures' shares a batch among devices, and this is a single picture: give "
                "a batch, or use shard='rows'"
            )
        if batch[0] % self.count:
            raise JaxdreamError(
                f"{self.count} devices cannot share {batch[0]} pictures evenly: give a multiple of "
                f"{self.count}"
            )

    def replicate(self, tree: Tree) -> Tree:
        """The arrays of a pytree on every device; those that are there already stay."""
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec()))

    def along(self, axis: int = 0) -> NamedSharding:
        """The sharding of an array whose axis ``axis`` is the batch; rows are on every device."""
        axes = [None] * axis + [_AXIS] if self.what == "pictures" else []
        return NamedSharding(self.mesh, PartitionSpec(*axes))

    def place(self, tree: Tree, axis: int = 0) -> Tree:
        """Arrays on the devices, ``along`` an axis; or the shapes of a program's arguments."""
        sharding = self.along(axis)

        def placed(leaf):
            if isinstance(leaf, jax.ShapeDtypeStruct):
                return leaf.update(sharding=sharding)
            return jax.device_put(leaf, sharding)

        return jax.tree.map(placed, tree)

    def keep(self, tree: Tree) -> Tree:
        """In a program: constrain results to the sharding of the arguments.

        So the next call need not move them.
        """
        return jax.lax.with_sharding_constraint(tree, self.along())

    def split(self, image: Float[Array, "*n h w c"]) -> Float[Array, "*n h w c"]:
        """In a program: spread the rows of the network's input, and its maps, over devices."""
        if self.what == "pictures":
            return image
        # A constraint needs equal shares; a slice of them stays where it is.
        height = image.shape[-3]
        beyond = [(0, 0)] * image.ndim
        beyond[-3] = (0, -height % self.count)
        rows = PartitionSpec(*[None] * (image.ndim - 3), _AXIS)
        shares = jax.lax.with_sharding_constraint(
            jnp.pad(image, beyond), NamedSharding(self.mesh, rows)
        )
        return shares[..., :height, :, :]


def shard_pictures(devices: Sequence[Device] | None = None) -> Sharding:
    """All devices share the pictures of a batch, a multiple of their number.

    ``devices`` are by default those of this process.

    Raises:
        JaxdreamError: no devices.
    """
    return Sharding(_mesh(devices), "pictures")


def shard_rows(devices: Sequence[Device] | None = None) -> Sharding:
    """All devices share the rows of a picture, of any height, or of each picture of a batch.

    ``devices`` are by default those of this process.

    Raises:
        JaxdreamError: no devices.
    """
    return Sharding(_mesh(devices), "rows")


def chosen_sharding(shard: str | Sharding | None) -> Sharding | None:
    """What the setting ``shard`` means on this machine; None if a single device computes.

    Raises:
        JaxdreamError: it is neither a kind of sharding nor one itself.
    """
    if shard is None or isinstance(shard, Sharding):
        return shard
    if shard not in SHARDS:
        raise JaxdreamError(f"shard is one of {', '.join(SHARDS)}, or a Sharding, not {shard!r}")
    sharding = shard_rows() if shard == "rows" else shard_pictures()
    return sharding if sharding.count > 1 else None


def _mesh(devices: Sequence[Device] | None) -> Mesh:
    devices = jax.local_devices() if devices is None else devices
    if not devices:
        raise JaxdreamError("there must be at least one device")
    return Mesh(np.array(devices, object), (_AXIS,))
