"""What a batch of pictures adds to the statistics of layers, in one program for all of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int32, Integer

from jaxdream.execution.jit import program
from jaxdream.models.network import Network
from jaxdream.types import EXACT, AnyArray, Size
from jaxdream.units import buckets
from jaxdream.units.statistics import UnitStatistics, merge_tops


class LayerSummary(NamedTuple):
    """One layer on a batch: of each picture the largest values, of all together the rest."""

    best: Float[Array, "n c"]
    positions: Int32[Array, "n c"]
    about: Float[Array, " c"]  # nearly the mean
    offset: Float[Array, " c"]  # the mean of the differences from that
    products: Float[Array, "c c"]  # sums of products of these differences
    zeros: Int32[Array, " c"]
    counts: Int32[Array, "c b"]
    least: Float[Array, " c"]
    most: Float[Array, " c"]


def flattened(activations: Float[Array, "n ..."]) -> Float[Array, "n p c"]:
    """A layer's activations, maps, tokens or vectors, as a row of positions."""
    n, channels = activations.shape[0], activations.shape[-1]
    return activations.reshape(n, -1, channels)


def layer_shapes(model: Network, layers: Sequence[str], size: Size) -> dict[str, tuple[int, ...]]:
    """The shape of each layer on one picture of this height and width; nothing is computed.

    Raises:
        JaxdreamError: an unknown layer, or the picture is too small for one.
    """
    names = [model.graph.resolve(name) for name in layers]
    for name in names:
        model.graph.check_size(size, name)
    x = jax.ShapeDtypeStruct((1, *size, 3), np.float32)
    found = jax.eval_shape(lambda model, x: model.activations(x, names), model, x)
    return {name: found[name].shape[1:] for name in names}


@program(static_argnames=("layers",))
def summarize(
    model: Network,
    pictures: Float[AnyArray, "n h w 3"],
    valid: Bool[AnyArray, " n"],
    *,
    layers: tuple[str, ...],
) -> tuple[Bool[Array, " n"], dict[str, LayerSummary]]:
    """Compute layers on a batch of pictures.

    Args:
        pictures: RGB, 0..255.
        valid: false where a slot of the batch has no picture.
        layers: their own names.

    Returns:
        Which pictures count: those that are valid and whose activations are finite. And the
        summary of each layer.
    """
    model = model.merged(layers)
    found = model.activations(model.preprocess(jnp.asarray(pictures)), layers)
    maps = {name: flattened(found[name]) for name in layers}
    counted = jnp.asarray(valid)
    for each in maps.values():
        counted &= jnp.all(jnp.isfinite(each), axis=(1, 2))
    return counted, {name: _summary(each, counted) for name, each in maps.items()}


def _summary(values: Float[Array, "n p c"], valid: Bool[Array, " n"]) -> LayerSummary:
    channels = values.shape[-1]
    counted = valid[:, None, None]
    weight = jnp.where(counted, 1.0, 0.0)
    values = jnp.where(counted, values, 0.0)
    # Of a float32 sum the last digits are lost, so the mean is corrected by a second one.
    total = jnp.maximum(jnp.sum(weight) * values.shape[1], 1.0)
    about = jnp.sum(values, axis=(0, 1)) / total
    differences = weight * (values - about)
    offset = jnp.sum(differences, axis=(0, 1)) / total
    products = jnp.einsum("npc,npd->cd", differences, differences, precision=EXACT)
    place = jnp.arange(channels) * buckets.COUNT + buckets.bucket_of(values)
    ones = jnp.broadcast_to(jnp.where(counted, 1, 0), values.shape)
    counts = jnp.zeros(channels * buckets.COUNT, jnp.int32).at[place.ravel()].add(ones.ravel())
    return LayerSummary(
        best=jnp.max(values, axis=1),
        positions=jnp.argmax(values, axis=1).astype(jnp.int32),
        about=about,
        offset=offset,
        products=products,
        zeros=jnp.sum(counted & (values == 0), axis=(0, 1), dtype=jnp.int32),
        counts=counts.reshape(channels, buckets.COUNT),
        least=jnp.min(jnp.where(counted, values, jnp.inf), axis=(0, 1)),
        most=jnp.max(jnp.where(counted, values, -jnp.inf), axis=(0, 1)),
    )


def statistics_of(
    summary: LayerSummary,
    valid: Bool[np.ndarray, " n"],
    numbers: Integer[np.ndarray, " n"],
    *,
    positions: int,
    top: int,
) -> UnitStatistics:
    """The statistics of one batch.

    Args:
        valid: which of its pictures count.
        numbers: of its pictures among all.
        positions: of the layer on each picture.
    """
    about, offset, products = (
        np.asarray(each, np.float64) for each in (summary.about, summary.offset, summary.products)
    )
    pictures = int(valid.sum())
    count = pictures * positions
    channels = len(about)
    empty = UnitStatistics.empty(channels, top)
    shown = np.asarray(numbers, np.int64)[valid]
    values = np.concatenate([np.asarray(summary.best)[valid].T, empty.top_values], axis=1)
    indices = np.broadcast_to(shown, (channels, pictures))
    top_values, top_pictures, top_positions = merge_tops(
        values,
        np.concatenate([indices, empty.top_pictures], axis=1),
        np.concatenate([np.asarray(summary.positions)[valid].T, empty.top_positions], axis=1),
        top=top,
    )
    return UnitStatistics(
        pictures=pictures,
        count=count,
        mean=about + offset,
        comoments=products - count * np.outer(offset, offset),
        zeros=np.asarray(summary.zeros, np.int64),
        counts=np.asarray(summary.counts, np.int64),
        least=np.asarray(summary.least),
        most=np.asarray(summary.most),
        top_values=top_values,
        top_pictures=top_pictures,
        top_positions=top_positions,
    )


def batch_statistics(
    model: Network,
    pictures: Float[AnyArray, "n h w 3"],
    valid: Bool[np.ndarray, " n"],
    numbers: Integer[np.ndarray, " n"],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    top: int,
) -> tuple[Bool[np.ndarray, " n"], dict[str, UnitStatistics]]:
    """Which pictures of a batch count, and the statistics of each layer on these.

    Args are those of ``summarize`` and ``statistics_of``; ``shapes`` is from ``layer_shapes``.
    """
    counted, found = jax.device_get(summarize(model, pictures, valid, layers=tuple(shapes)))
    return counted, {
        name: statistics_of(
            found[name], counted, numbers, positions=int(np.prod(shape[:-1])), top=top
        )
        for name, shape in shapes.items()
    }
