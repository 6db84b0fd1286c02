"""What a dream maximises: the objectives, as small pytrees that compose (see ``Objective``).

Of a channel there is the *mean* activation (``channel``), as in lucid and lucent, and the *energy*,
half the sum of squares (``channel_energy``); the energy of a whole layer (``layer``), the objective
of 2015, is the sum of its channels'. A neuron, a direction, a class's logit, a guide and a
reference are *dot products*, linear in the activations. Penalties are subtracted.

Arguments come in this order: the layer first, then what belongs to it. ``guide`` and
``caricature``, which run a network on a picture, have the network first, as everywhere in
jaxdream, and the layer last.

Layers, channels and classes are looked up where the network is known: ``guide`` and ``caricature``
raise their errors when called, all others in ``Objective.check``, which ``dream`` and
``visualize`` call.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer, Num

from jaxdream.errors import JaxdreamError
from jaxdream.images.masks import check_shares
from jaxdream.objectives import terms
from jaxdream.objectives.activations import Activations
from jaxdream.objectives.base import Objective, activations_of
from jaxdream.objectives.labels import ImageClass, resolve_class
from jaxdream.objectives.masked import Mask
from jaxdream.types import AnyArray

if TYPE_CHECKING:
    from jaxdream.models.network import Network

__all__ = [
    "Activations",
    "Mask",
    "Objective",
    "caricature",
    "channel",
    "channel_energy",
    "custom",
    "direction",
    "guide",
    "l1",
    "layer",
    "logit",
    "mask",
    "neuron",
    "strongest",
    "total_variation",
    "weakest",
    "without",
]

Index = int | np.integer | Integer[AnyArray, "..."]
Share = float | int | Float[AnyArray, ""]


def layer(layer: str) -> Objective:
    """The objective of 2015: half the sum of squares of a layer's activations.

    Source: Google's notebook ``deepdream/dream.ipynb`` (``objective_L2``).
    """
    return terms.Layer(layer)


def channel(layer: str, index: Index) -> Objective:
    """The mean activation of channel ``index`` of a layer, over all positions.

    Source: ``lucid``'s and ``lucent``'s ``objectives.channel``.

    Raises:
        JaxdreamError: the index is not an integer. ``check`` raises for one out of range.
    """
    return terms.Channel(layer, _index(index))


def channel_energy(layer: str, index: Index) -> Objective:
    """Half the sum of squares of channel ``index`` of a layer: its share of the layer's energy.

    Raises:
        JaxdreamError: as ``channel``.
    """
    return terms.ChannelEnergy(layer, _index(index))


def strongest(layer: str, count: int, *, every_octave: bool = False) -> Objective:
    """The energy of the ``count`` channels of a layer that the picture excites most.

    They are chosen for each picture by their mean activation on it, at up to 512 pixels a side.
    ``visualize`` chooses them again in every step.

    Args:
        every_octave: choose them again before every octave, by the dream so far; otherwise they
            are chosen once, before the picture is dreamed.

    Source: ``-channel_mode strong`` and ``-channel_capture`` of neural-dream.

    Raises:
        JaxdreamError: the count is not a whole number of at least 1. ``check`` raises for more
            than the layer has.
    """
    return terms.Ranked(layer, "strongest", _count(count), every_octave)


def weakest(layer: str, count: int, *, every_octave: bool = False) -> Objective:
    """As ``strongest``, the channels that the picture excites least, of those that it does excite.

    Raises:
        JaxdreamError: as ``strongest``.
    """
    return terms.Ranked(layer, "weakest", _count(count), every_octave)


def without(layer: str, count: int, *, every_octave: bool = False) -> Objective:
    """As ``strongest``, all channels except the ``count`` that the picture excites most.

    Raises:
        JaxdreamError: as ``strongest``.
    """
    return terms.Ranked(layer, "without", _count(count), every_octave)


def neuron(
    layer: str,
    index: Index,
    *,
    position: tuple[Share, Share] = (0.5, 0.5),
    token: Index | None = None,
) -> Objective:
    """The activation of channel ``index`` of a layer at one position.

    Args:
        position: (x, y) as shares, 0..1, of the layer's width and height, since a dream has many
            sizes; the middle by default.
        token: of a layer that is a sequence of tokens: the number of one, from 0, instead.

    Raises:
        JaxdreamError: as ``channel``; or the position is outside 0..1.
    """
    if token is not None:
        return terms.Token(layer, _index(index), _index(token))
    for share in position:
        if not isinstance(share, Tracer) and not 0 <= share <= 1:
            raise JaxdreamError(
                "a neuron's position is from 0 to 1, as shares of the layer's width and height, "
                f"not {share}"
            )
    # 0 is added because -0 has no text.
    return terms.Neuron(layer, _index(index), jnp.asarray(position, jnp.float32) + 0.0)


def direction(layer: str, vector: Float[AnyArray, " c"]) -> Objective:
    """The dot product of a layer's activations with a vector, (channels,), summed over positions.

    ``check`` raises JaxdreamError for a vector that is not finite or of another length.
    """
    return terms.Direction(layer, jnp.asarray(vector, jnp.float32))


def logit(index: Index | str, *, classes: Sequence[ImageClass] | None = None) -> Objective:
    """The score of a class before the softmax, of a network that has a classifier.

    Args:
        index: of the classifier's output; or as text one of the class's names or its WordNet id,
            such as "banana".
        classes: of the network: ``imagenet_classes()``, the default, or ``places365_classes()``.

    Raises:
        JaxdreamError: no class, or several, have this name. ``check`` raises for an index out of
            range, and where the network has no classifier.
    """
    number = resolve_class(index, classes=classes).index if isinstance(index, str) else index
    return terms.Logit(_index(number))


def guide(model: "Network", image: Float[AnyArray, "h w 3"], layer: str) -> Objective:
    """Dream what a guide picture shows (RGB, 0..255, its own size), as ``layer`` sees it.

    Source: Google's notebook (``objective_guide``).

    Raises:
        JaxdreamError: at once: an unknown layer, or a picture of another shape or too small.
    """
    features = activations_of(model, image, (layer,))[layer]
    return terms.Guide(layer, features.reshape(-1, features.shape[-1]))


def caricature(model: "Network", image: Float[AnyArray, "h w 3"], layer: str) -> Objective:
    """Exaggerate what ``layer`` sees of a reference (RGB, 0..255), position by position.

    The reference is usually the picture itself. Its activations are resampled to the size of the
    octave; under jitter they stay where they are.

    Source: the dot-product objective of C. Olah and others' "The Building Blocks of
    Interpretability", Distill 2018, and of ``lucid``'s caricatures.

    Raises:
        JaxdreamError: at once, as ``guide``.
    """
    return terms.Caricature(layer, activations_of(model, image, (layer,))[layer])


def mask(shares: Num[AnyArray, "..."]) -> Mask:
    """A mask of the picture, (h, w), 0..1, for a part of an objective::

        mask(sky) * layer("4c") + mask(1 - sky) * layer("3b")

    The mask may have any size: it stands for the whole picture, and each position of a layer counts
    as much as the mask is on average over its area. It goes with the picture under jitter.

    Raises:
        JaxdreamError: it is no mask; and, where it is multiplied, an objective that is not a sum
            over positions.
    """
    if np.ndim(shares) != 2 or 0 in np.shape(shares):
        raise JaxdreamError(f"a mask has the shape (height, width), not {np.shape(shares)}")
    check_shares(shares, name="a mask")
    return Mask(shares)


def l1(layer: str) -> Objective:
    """The sum of a layer's absolute values; subtract it to keep a layer sparse."""
    return terms.L1(layer)


def total_variation(layer: str = "data") -> Objective:
    """The sum of absolute differences of neighbours; subtract it to keep something smooth.

    By default of the picture itself, in the network's units (``preprocess``): levels of 255 for
    GoogLeNet.
    """
    return terms.TotalVariation(layer)


@overload
def custom(*layers: str) -> Callable[[Callable[..., Array]], Objective]: ...


@overload
def custom(
    function: Callable[[Activations], Array], layers: tuple[str, ...] | list[str], /
) -> Objective: ...


def custom(*arguments: Any) -> Any:
    """An objective from a function of activations, which returns a scalar; also a decorator::

        @custom("inception_4c/output")
        def left_half(x):
            return jnp.mean(x[:, : x.shape[1] // 2])

    With one layer, the decorated function is given its activations on one picture, (h, w, c); with
    several, a mapping from layer name to these. As a call, ``custom(function, layers)``, the
    function is always given the mapping. The same function object is compiled once.

    Raises:
        JaxdreamError: no layer's name is given.
    """
    names, function = arguments, None
    if arguments and callable(arguments[0]):
        function, names = arguments[0], tuple(*arguments[1:])
    if not names or not all(isinstance(name, str) for name in names):
        raise JaxdreamError(
            'custom takes the names of layers, as in @custom("inception_4c/output") or '
            'custom(function, ("inception_4c/output",))'
        )
    if function is not None:
        return terms.Custom(function, names, takes_mapping=True)  # pyright: ignore[reportArgumentType]
    return lambda function: terms.Custom(function, names, takes_mapping=len(names) > 1)


def _count(count: int) -> int:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise JaxdreamError(f"a count of channels is a whole number of at least 1, not {count!r}")
    return int(count)


def _index(index) -> Integer[Array, "..."]:
    if not isinstance(index, Tracer):
        if not isinstance(index, int | np.integer | np.ndarray | jnp.ndarray):
            raise JaxdreamError(f"an index is one integer, not {index!r}: add several objectives")
        index = np.asarray(index)
        if np.any(np.abs(index) >= 2**31):
            raise JaxdreamError(f"the index {index} is out of range")
    if not jnp.issubdtype(index.dtype, jnp.integer):
        raise JaxdreamError(f"an index is an integer, not {index.dtype}")
    return jnp.asarray(index, jnp.int32)
