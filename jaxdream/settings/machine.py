"""What computes a dream: memory, devices, precision."""

import typing
from typing import TYPE_CHECKING, Literal

from jaxdream.settings.base import Settings, setting

if TYPE_CHECKING:
    from jaxdream.execution.shapes import ShapeBuckets
    from jaxdream.execution.sharding import Sharding

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = typing.get_args(Precision)
SHARDS = ("pictures", "rows")


class Compute(Settings):
    """The machine: how much memory, which devices, which precision. A dream is the same with any.

    (To rounding; bfloat16 makes another picture of the same kind.)
    """

    title = "the machine"

    memory: int | None = setting(
        default=None,
        help="what jaxdream may take of the memory, such as 2GB; larger pictures are computed in "
        "tiles",
        kind=int,
        unit="bytes",
        metavar="SIZE",
        minimum=1,
        maximum=10**18,
        default_text="most of what is free",
    )
    shard: "Literal['pictures', 'rows'] | Sharding | None" = setting(
        default=None,
        help="what all devices of this machine share: the pictures of a batch, or the rows of "
        "each picture",
        kind=str,
        choices=SHARDS,
        default_text="nothing: one device computes",
    )
    precision: Precision | None = setting(
        default=None,
        help="numbers that the network computes with; bfloat16 is for accelerators",
        kind=str,
        choices=PRECISIONS,
        default_text="float32",
    )
    scan: bool | None = setting(
        default=None,
        help="whether an octave is one compiled loop (right on GPU and TPU) or a loop over a "
        "compiled step (much faster on CPU)",
        kind=bool,
        default_text="by platform",
        option=False,
    )
    shapes: "ShapeBuckets | None" = setting(
        default=None,
        help="padded shapes that pictures of many sizes share, from plan_shapes",
        kind=str,
        default_text="sides are rounded up",
        option=False,
    )
