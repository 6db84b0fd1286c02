"""Activations at random positions of many pictures, of which a fixed number is kept.

Which are kept depends on the seed and on the pictures' numbers alone: each candidate draws a number
and the smallest stay. So samples of parts of a data set are merged into those of the whole.

Source: P. Efraimidis, P. Spirakis, "Weighted random sampling with a reservoir", 2006, with equal
weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Float64, Int32, Int64, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.execution.jit import program
from jaxdream.models.network import Network
from jaxdream.types import AnyArray
from jaxdream.units.summary import flattened


@dataclass(frozen=True)
class ActivationSample:
    """Activations of one layer at random positions, in the order of what they drew.

    Attributes:
        vectors: activations.
        draws: what each drew, 0..1.
        pictures: the numbers of the pictures that they are from.
        positions: where in the layer: the index into its positions, row by row.
    """

    vectors: Float32[np.ndarray, "n c"]
    draws: Float64[np.ndarray, " n"]
    pictures: Int64[np.ndarray, " n"]
    positions: Int32[np.ndarray, " n"]

    @classmethod
    def empty(cls, channels: int) -> "ActivationSample":
        """Of no picture yet."""
        return cls(
            np.zeros((0, channels), np.float32),
            np.zeros(0),
            np.zeros(0, np.int64),
            np.zeros(0, np.int32),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything by its name, as an .npz file holds it."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def where(self, kept: Bool[np.ndarray, " n"]) -> "ActivationSample":
        """Only some of them."""
        if kept.all():
            return self
        return ActivationSample(**{name: array[kept] for name, array in self.arrays().items()})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "ActivationSample":
        """What ``arrays`` gave.

        Raises:
            JaxdreamError: an array is missing, or of another length or kind.
        """
        empty = cls.empty(0).arrays()
        try:
            given = {name: arrays[name] for name in empty}
        except KeyError as error:
            raise JaxdreamError(f"no sample of activations: there is no {error}") from None
        count = len(given["draws"])
        for name, like in empty.items():
            array = given[name]
            if array.dtype != like.dtype or array.ndim != like.ndim or len(array) != count:
                raise JaxdreamError(f"no sample of activations: {name} is {array.shape}")
        return cls(**given)


def merge_samples(
    first: ActivationSample, *others: ActivationSample, most: int
) -> ActivationSample:
    """The sample of all pictures, from those of parts of them.

    Args:
        most: activations that are kept, of each part as well.
    """
    full = len(first.draws) >= most
    # Once the sample is full hardly any candidate gets in, and it need not be copied.
    entering = [one.where(one.draws <= first.draws[-1]) if full else one for one in others]
    if full and not any(len(one.draws) for one in entering):
        return first.where(np.arange(len(first.draws)) < most)
    joined = {
        name: np.concatenate([getattr(one, name) for one in (first, *entering)])
        for name in first.arrays()
    }
    order = np.lexsort((joined["positions"], joined["pictures"], joined["draws"]))[:most]
    return ActivationSample(**{name: array[order] for name, array in joined.items()})


def draw_positions(
    seed: int, numbers: Sequence[int], *, positions: int, each: int
) -> tuple[Int32[np.ndarray, "n e"], Float64[np.ndarray, "n e"]]:
    """Different positions of each picture, and what each of them draws.

    Args:
        numbers: of the pictures; -1 where there is none.
        positions: of the layer.
        each: how many to draw, at most ``positions``.
    """
    chosen = np.zeros((len(numbers), each), np.int32)
    draws = np.ones((len(numbers), each))
    for row, number in enumerate(numbers):
        if number >= 0:
            random = np.random.default_rng([seed, number])
            chosen[row] = random.permutation(positions)[:each]
            draws[row] = random.random(each)
    return chosen, draws


@program(static_argnames=("layer",))
def activations_at(
    model: Network,
    pictures: Float[AnyArray, "n h w 3"],
    positions: Integer[AnyArray, "n e"],
    *,
    layer: str,
) -> tuple[Float[Array, "n e c"], Bool[Array, " n"]]:
    """Activations at some positions of each picture (RGB, 0..255), and whether all are finite."""
    model = model.merged((layer,))
    x = model.preprocess(jnp.asarray(pictures))
    values = flattened(model.activations(x, [layer])[layer])
    found = jnp.take_along_axis(values, jnp.asarray(positions)[:, :, None], axis=1)
    return found, jnp.all(jnp.isfinite(values), axis=(1, 2))


def sample_batch(
    model: Network,
    pictures: Float[np.ndarray, "n h w 3"],
    valid: Bool[np.ndarray, " n"],
    numbers: Int64[np.ndarray, " n"],
    *,
    layer: str,
    positions: int,
    each: int,
    seed: int,
) -> tuple[ActivationSample, Bool[np.ndarray, " n"]]:
    """The candidates of a batch, and which of its pictures have them.

    Args:
        valid: false where a slot of the batch has no picture.
        numbers: of the pictures, among all.
        positions: of the layer.
        each: candidates of each picture.
    """
    chosen, draws = draw_positions(
        seed, np.where(valid, numbers, -1).tolist(), positions=positions, each=each
    )
    vectors, finite = jax.device_get(activations_at(model, pictures, chosen, layer=layer))
    counted = valid & finite
    sample = ActivationSample(
        vectors[counted].reshape(-1, vectors.shape[-1]),
        draws[counted].ravel(),
        np.repeat(np.asarray(numbers, np.int64)[counted], each),
        chosen[counted].ravel(),
    )
    return sample, counted


def candidates_per_picture(samples: int, pictures: int, positions: int) -> int:
    """How many positions of each picture to draw so that as many as asked for can be kept.

    Raises:
        JaxdreamError: there are no pictures.
    """
    if pictures < 1:
        raise JaxdreamError("there are no pictures to take activations from")
    return min(positions, -(-samples // pictures))
