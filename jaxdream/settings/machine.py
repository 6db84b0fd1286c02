"""What computes a dream: memory, devices, precision."""

import typing
from typing import TYPE_CHECKING, Literal

from jaxdream.settings.base import Settings, setting

if TYPE_CHECKING:
    from jaxdream.execution.shapes import ShapeBuckets
    from jaxdream.execution.sharding import Sharding

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = typing.get_args(Precision)
PrecisionOption = Literal["float32", "bfloat16", "float16", "auto"]
PRECISION_OPTIONS: tuple[PrecisionOption, ...] = typing.get_args(PrecisionOption)
SHARDS = ("pictures", "rows")


class Compute(Settings):
    """The machine: how much memory, which devices, which precision. A dream is the same with any.

    (To rounding; bfloat16 and float16 make another picture of the same kind.)
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
    precision: PrecisionOption | None = setting(
        default=None,
        help="numbers that the network computes with; auto is what the device multiplies fast: "
        "bfloat16 on a TPU and newer GPUs, float16 on a T4 or V100, float32 on a CPU",
        kind=str,
        choices=PRECISION_OPTIONS,
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
        default_text="on a CPU sides are rounded up; on a GPU or TPU octaves share",
        option=False,
    )
