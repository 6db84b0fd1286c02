"""What a dream maximises: the objectives, as small pytrees that compose (see ``Objective``).

Of a channel there is the *mean* activation (``channel``), as in lucid and lucent, and the *energy*,
half the sum of squares (``channel_energy``); the energy of a whole layer (``layer``), the objective
of 2015, is the sum of its channels'. A neuron, a direction, a class's logit, a guide and a
reference are *dot products*, linear in the activations. Penalties are subtracted. Sums over
positions grow with the picture; with ``mean=True`` they are divided by the number of positions.

Arguments come in this order: the layer first, then what belongs to it. ``guide`` and
``caricature``, which run a network on a picture, have the network first, as everywhere in
jaxdream, and the layer last, as has ``of_network``.

Layers, channels and classes are looked up where the network is known: ``guide``, ``caricature``,
``style`` and ``of_network`` raise their errors when called, all others in ``Objective.check``,
which ``dream`` and ``visualize`` call.
"""

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from jaxtyping import Array, Num

from jaxdream.errors import JaxdreamError
from jaxdream.images.masks import check_shares
from jaxdream.objectives import penalties, terms
from jaxdream.objectives.activations import Activations
from jaxdream.objectives.base import Objective
from jaxdream.objectives.directions import cosine, direction, direction_neuron
from jaxdream.objectives.labels import ImageClass, resolve_class
from jaxdream.objectives.masked import Mask
from jaxdream.objectives.morphs import alignment, interpolate
from jaxdream.objectives.networks import of_network
from jaxdream.objectives.penalties import boundary
from jaxdream.objectives.pictures import caricature, guide, style
from jaxdream.objectives.places import Index, Share, as_index, as_place
from jaxdream.types import AnyArray

__all__ = [
    "Activations",
    "Mask",
    "Objective",
    "alignment",
    "boundary",
    "caricature",
    "channel",
    "channel_energy",
    "cosine",
    "custom",
    "direction",
    "direction_neuron",
    "guide",
    "interpolate",
    "l1",
    "layer",
    "logit",
    "mask",
    "neuron",
    "of_network",
    "strongest",
    "style",
    "total_variation",
    "weakest",
    "without",
]


def layer(layer: str, *, mean: bool = False) -> Objective:
    """The objective of 2015: half the sum of squares of a layer's activations.

    Args:
        mean: divided by the number of positions, so that its weight beside others does not depend
            on the picture's size. Channels are still summed up: the mean energies of a layer's
            channels add up to the layer's.

    Source: Google's notebook ``deepdream/dream.ipynb`` (``objective_L2``); with the mean,
    ``deepdream`` of ``lucid/optvis/objectives.py``, which is also divided by the channels' number.
    """
    return terms.Layer(layer, mean=mean)


def channel(layer: str, index: Index) -> Objective:
    """The mean activation of channel ``index`` of a layer, over all positions.

    Source: ``lucid``'s and ``lucent``'s ``objectives.channel``.

    Raises:
        JaxdreamError: the index is not an integer. ``check`` raises for one out of range.
    """
    return terms.Channel(layer, as_index(index))


def channel_energy(layer: str, index: Index, *, mean: bool = False) -> Objective:
    """Half the sum of squares of channel ``index`` of a layer: its share of the layer's energy.

    Args:
        mean: as of ``layer``.

    Source: that of ``layer``, for one channel of it.

    Raises:
        JaxdreamError: as ``channel``.
    """
    return terms.ChannelEnergy(layer, as_index(index), mean=mean)


def strongest(
    layer: str, count: int, *, every_octave: bool = False, mean: bool = False
) -> Objective:
    """The energy of the ``count`` channels of a layer that the picture excites most.

    They are chosen for each picture by their mean activation on it, at up to 512 pixels a side.
    ``visualize`` chooses them again in every step.

    Args:
        every_octave: choose them again before every octave, by the dream so far; otherwise they
            are chosen once, before the picture is dreamed.
        mean: as of ``layer``.

    Source: ``-channel_mode strong`` and ``-channel_capture`` of neural-dream.

    Raises:
        JaxdreamError: the count is not a whole number of at least 1. ``check`` raises for more
            than the layer has.
    """
    return terms.Ranked(layer, "strongest", _count(count), every_octave, mean=mean)


def weakest(layer: str, count: int, *, every_octave: bool = False, mean: bool = False) -> Objective:
    """As ``strongest``, the channels that the picture excites least, of those that it does excite.

    Source: ``-channel_mode weak`` of neural-dream.

    Raises:
        JaxdreamError: as ``strongest``.
    """
    return terms.Ranked(layer, "weakest", _count(count), every_octave, mean=mean)


def without(layer: str, count: int, *, every_octave: bool = False, mean: bool = False) -> Objective:
    """As ``strongest``, all channels except the ``count`` that the picture excites most.

    Source: ``-channel_mode ignore`` of neural-dream, there of channels that are named.

    Raises:
        JaxdreamError: as ``strongest``.
    """
    return terms.Ranked(layer, "without", _count(count), every_octave, mean=mean)


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

    Source: ``lucid``'s and ``lucent``'s ``objectives.neuron``, whose position is counted in the
    layer; with both the middle of an even number of positions is the one after it.

    Raises:
        JaxdreamError: as ``channel``; or the position is outside 0..1.
    """
    return terms.Neuron(layer, as_index(index), as_place(position, token))


def logit(index: Index | str, *, classes: Sequence[ImageClass] | None = None) -> Objective:
    """The score of a class before the softmax, of a network that has a classifier.

    Args:
        index: of the classifier's output; or as text one of the class's names or its WordNet id,
            such as "banana".
        classes: of the network: ``imagenet_classes()``, the default, or ``places365_classes()``.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks", 2013;
    ``class_logit`` of ``lucid/optvis/objectives.py``.

    Raises:
        JaxdreamError: no class, or several, have this name. ``check`` raises for an index out of
            range, and where the network has no classifier.
    """
    number = resolve_class(index, classes=classes).index if isinstance(index, str) else index
    return terms.Logit(as_index(number))


def mask(shares: Num[AnyArray, "..."]) -> Mask:
    """A mask of the picture, (h, w), 0..1, for a part of an objective::

        mask(sky) * layer("4c") + mask(1 - sky) * layer("3b")

    The mask may have any size: it stands for the whole picture, and each position of a layer counts
    as much as the mask is on average over its area. It goes with the picture under jitter.

    Source: the masks of ``penalize_boundary_complexity`` of ``lucid``, here for any sum over
    positions.

    Raises:
        JaxdreamError: it is no mask; and, where it is multiplied, an objective that is not a sum
            over positions.
    """
    if np.ndim(shares) != 2 or 0 in np.shape(shares):
        raise JaxdreamError(f"a mask has the shape (height, width), not {np.shape(shares)}")
    check_shares(shares, name="a mask")
    return Mask(shares)


def l1(layer: str, *, mean: bool = False) -> Objective:
    """The sum of a layer's absolute values; subtract it to keep a layer sparse.

    Args:
        mean: as of ``layer``.

    Source: ``L1`` of ``lucid/optvis/objectives.py``.
    """
    return penalties.L1(layer, mean=mean)


def total_variation(layer: str = "data", *, mean: bool = False) -> Objective:
    """The sum of absolute differences of neighbours; subtract it to keep something smooth.

    By default of the picture itself, in the network's units (``preprocess``): levels of 255 for
    GoogLeNet.

    Args:
        mean: as of ``layer``.

    Source: ``total_variation`` of ``lucid/optvis/objectives.py``, which has it from
    K. Simonyan and others.
    """
    return penalties.TotalVariation(layer, mean=mean)


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
