"""Where in a layer an objective reads: channels and tokens by their index, positions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.objectives.base import number_text
from jaxdream.types import AnyArray

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable

Index = int | np.integer | Integer[AnyArray, "..."]
Share = float | int | Float[AnyArray, ""]  # 0..1
# (x, y), as shares of the layer's width and height, or the number of a token.
Place = Float[Array, "... 2"] | Integer[Array, "..."]


def as_index(index) -> Integer[Array, "..."]:
    """An index, checked.

    Raises:
        JaxdreamError: it is no integer, or out of range.
    """
    if not isinstance(index, Tracer):
        if not isinstance(index, int | np.integer | np.ndarray | jnp.ndarray):
            raise JaxdreamError(f"an index is one integer, not {index!r}: add several objectives")
        index = np.asarray(index)
        if np.any(np.abs(index) >= 2**31):
            raise JaxdreamError(f"the index {index} is out of range")
    if not jnp.issubdtype(index.dtype, jnp.integer):
        raise JaxdreamError(f"an index is an integer, not {index.dtype}")
    return jnp.asarray(index, jnp.int32)


def check_index(index: int | Array, count: int, layer: str, kind: str) -> None:
    """Make sure that indices into a layer exist, where their values are known.

    Raises:
        JaxdreamError: one is out of range.
    """
    if isinstance(index, Tracer):
        return
    values = np.atleast_1d(np.asarray(index))
    wrong = values[(values < 0) | (values >= count)]
    if len(wrong):
        raise JaxdreamError(f"{layer} has {kind} 0 to {count - 1}, not {wrong[0]}")


def as_place(position: Sequence[Share], token: Index | None) -> Place:
    """The number of a token if there is one, otherwise a position (x, y); checked.

    Raises:
        JaxdreamError: the position is not two shares from 0 to 1, or as ``as_index``.
    """
    if token is not None:
        return as_index(token)
    if len(position) != 2:
        raise JaxdreamError(f"a neuron's position is (x, y), not {position!r}")
    for share in position:
        if not isinstance(share, Tracer) and not 0 <= share <= 1:
            raise JaxdreamError(
                "a neuron's position is from 0 to 1, as shares of the layer's width and height, "
                f"not {share}"
            )
    # 0 is added because -0 has no text.
    return jnp.asarray(position, jnp.float32) + 0.0


def check_place(graph: "LayerTable", layer: str, place: Place, *, example: str) -> None:
    """Make sure that a layer has such places.

    Args:
        example: an objective's text with the number of a token.

    Raises:
        JaxdreamError: it has no width and height, or no such token.
    """
    tokens = graph.token_count(layer)
    if not _is_token(place):
        if tokens is not None:
            raise JaxdreamError(
                f"{layer} is a sequence of tokens, without width and height: give the number of "
                f"one, as in {example}"
            )
        check_map(graph, layer, "a neuron's position")
    elif tokens is None:
        raise JaxdreamError(f"{layer} is no sequence of tokens: give a position as (x, y)")
    elif graph.fixed_size is not None:  # in others the number of tokens is the picture's
        check_index(place, tokens, layer, "tokens")


def at_place(activation: Float[Array, "*positions c"], place: Place) -> Float[Array, " c"]:
    """The activations at one place."""
    if _is_token(place):
        # Beyond the end there is nothing, and not the last token.
        return activation.at[place].get(mode="fill", fill_value=0)
    size = jnp.array([activation.shape[1], activation.shape[0]])
    x, y = jnp.clip(jnp.floor(place * size).astype(jnp.int32), 0, size - 1)
    return activation[y, x]


def place_text(place: Place) -> list[str]:
    """The numbers of a place as text."""
    if _is_token(place):
        return [number_text(place)]
    return [number_text(place[..., i]) for i in (0, 1)]


def check_map(graph: "LayerTable", layer: str, what: str) -> None:
    """Make sure that a layer has width and height, which ``what`` needs.

    Raises:
        JaxdreamError: it has none, as tokens and logits.
    """
    if not graph.has_place(layer):
        raise JaxdreamError(
            f"{layer} has no width and height, which {what} needs: take a layer that is a map"
        )


def _is_token(place: Place) -> bool:
    return jnp.issubdtype(place.dtype, jnp.integer)
