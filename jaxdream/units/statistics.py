"""What is known of a layer's channels after any number of pictures, in memory of a fixed size.

Two statistics of different pictures are merged into that of both, so that they can be computed in
parts, by one process after the other or by many at once. Sums are float64.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, Int64

from jaxdream.errors import JaxdreamError
from jaxdream.units import buckets

# Of the quantiles that are shown and saved.
SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)


@dataclass(frozen=True)
class UnitStatistics:
    """The channels of one layer, over all positions of some pictures.

    Attributes:
        pictures: how many there were.
        count: of positions: of all pictures together.
        mean: of each channel.
        comoments: sums of products of two channels' deviations from their means.
        zeros: how often each channel was exactly 0.
        counts: of its values, by ``jaxdream.units.buckets``.
        least: value of each channel.
        most: value of each channel.
        top_values: the largest values of each channel, the largest first, at most one of each
            picture; -inf where there were fewer pictures.
        top_pictures: the numbers of these pictures; -1 where there are none.
        top_positions: where in the layer these are: the index into its positions, row by row.
    """

    pictures: int
    count: int
    mean: Float64[np.ndarray, " c"]
    comoments: Float64[np.ndarray, "c c"]
    zeros: Int64[np.ndarray, " c"]
    counts: Int64[np.ndarray, "c n"]
    least: Float32[np.ndarray, " c"]
    most: Float32[np.ndarray, " c"]
    top_values: Float32[np.ndarray, "c k"]
    top_pictures: Int64[np.ndarray, "c k"]
    top_positions: Int32[np.ndarray, "c k"]

    @classmethod
    def empty(cls, channels: int, top: int) -> "UnitStatistics":
        """Of no picture yet."""
        return cls(
            pictures=0,
            count=0,
            mean=np.zeros(channels),
            comoments=np.zeros((channels, channels)),
            zeros=np.zeros(channels, np.int64),
            counts=np.zeros((channels, buckets.COUNT), np.int64),
            least=np.full(channels, np.inf, np.float32),
            most=np.full(channels, -np.inf, np.float32),
            top_values=np.full((channels, top), -np.inf, np.float32),
            top_pictures=np.full((channels, top), -1, np.int64),
            top_positions=np.full((channels, top), -1, np.int32),
        )

    @property
    def covariance(self) -> Float64[np.ndarray, "c c"]:
        """Of the channels, over all positions: divided by their number, as ``deviation``."""
        return self.comoments / max(self.count, 1)

    @property
    def deviation(self) -> Float64[np.ndarray, " c"]:
        """The standard deviation of each channel."""
        return np.sqrt(np.maximum(np.diagonal(self.comoments), 0) / max(self.count, 1))

    @property
    def zero_share(self) -> Float64[np.ndarray, " c"]:
        """How often each channel was exactly 0, 0..1."""
        return self.zeros / max(self.count, 1)

    def quantiles(self, shares: Sequence[float] = SHARES) -> Float64[np.ndarray, "c q"]:
        """The values that these shares, 0..1, of each channel's values do not exceed.

        To 1/64 of the value between 2**-20 and 2**20; the smallest and the largest are exact.

        Raises:
            JaxdreamError: a share is outside 0..1.
        """
        wanted = np.asarray(shares, np.float64)
        if not ((wanted >= 0) & (wanted <= 1)).all():
            raise JaxdreamError(f"a share of values is from 0 to 1, not {list(shares)}")
        found = buckets.quantiles(self.counts, wanted)
        least, most = (side.astype(np.float64)[:, None] for side in (self.least, self.most))
        found = np.clip(found, least, most)
        return np.where(wanted == 0, least, np.where(wanted == 1, most, found))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything by its name, as an .npz file holds it."""
        return {each.name: np.asarray(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "UnitStatistics":
        """What ``arrays`` gave.

        Raises:
            JaxdreamError: an array is missing, or of another shape or kind.
        """
        try:
            channels, top = arrays["top_values"].shape
            empty = cls.empty(channels, top).arrays()
            given = {name: arrays[name] for name in empty}
        except (KeyError, ValueError) as error:
            raise JaxdreamError(f"no statistics of a layer: {error}") from None
        for name, like in empty.items():
            if given[name].shape != like.shape or given[name].dtype != like.dtype:
                raise JaxdreamError(f"no statistics of a layer: {name} is {given[name].shape}")
        numbers = {name: int(given.pop(name)) for name in ("pictures", "count")}
        return cls(**numbers, **given)  # pyright: ignore[reportArgumentType]


def merge_statistics(first: UnitStatistics, *others: UnitStatistics) -> UnitStatistics:
    """The statistics of all pictures, from those of parts of them.

    Tops, counts, zeros and extremes are the same in whatever order; means and comoments to the
    rounding of float64.

    Source: T. Chan, G. Golub, R. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances", 1979.

    Raises:
        JaxdreamError: they are of layers with different channels, or hold different numbers of
            examples.
    """
    return reduce(_merge_two, others, first)


def _merge_two(a: UnitStatistics, b: UnitStatistics) -> UnitStatistics:
    if a.top_values.shape != b.top_values.shape:
        raise JaxdreamError(
            "statistics of different layers or with different numbers of examples cannot be "
            f"merged: {a.top_values.shape} and {b.top_values.shape} (channels, examples)"
        )
    count = a.count + b.count
    share = b.count / max(count, 1)
    difference = b.mean - a.mean
    between = np.outer(difference, difference) * (a.count * share)
    values, pictures, positions = merge_tops(
        *(
            np.concatenate([getattr(a, name), getattr(b, name)], axis=1)
            for name in ("top_values", "top_pictures", "top_positions")
        ),
        top=a.top_values.shape[1],
    )
    return UnitStatistics(
        pictures=a.pictures + b.pictures,
        count=count,
        mean=a.mean + share * difference,
        comoments=a.comoments + b.comoments + between,
        zeros=a.zeros + b.zeros,
        counts=a.counts + b.counts,
        least=np.minimum(a.least, b.least),
        most=np.maximum(a.most, b.most),
        top_values=values,
        top_pictures=pictures,
        top_positions=positions,
    )


def merge_tops(
    values: Float[np.ndarray, "c n"],
    pictures: Int64[np.ndarray, "c n"],
    positions: Int32[np.ndarray, "c n"],
    *,
    top: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ``top`` largest values of each row with what belongs to them; of equals the first
    picture's."""
    order = np.lexsort((pictures, -values), axis=1)[:, :top]
    values, pictures, positions = (
        np.take_along_axis(each, order, axis=1) for each in (values, pictures, positions)
    )
    return values, pictures, positions
