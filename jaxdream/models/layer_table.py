"""What is known of a network's layers: their names, channels and place in the picture.

Objectives and plans ask it. ``Graph`` knows the geometry of every layer; of a network that is
wrapped (``wrapped_network``) only the shapes are known.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Array, Integer

from jaxdream.errors import JaxdreamError, nearest_names
from jaxdream.types import AnyArray, Size

# Of names, from 0 to 1: the least that is worth suggesting, and the advantage of a good layer.
_SIMILAR = 0.4
_PREFERENCE = 0.1

Halo = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class LayerInfo:
    """Geometry of one layer; stride and receptive field in pixels of the picture."""

    name: str
    channels: int
    stride: int | None  # None if it is not known
    receptive_field: tuple[int, int] | None  # (height, width); None if it is the whole picture
    # Of its activations on one picture of the size that the network was wrapped for: (h, w, c),
    # (tokens, c) or (c,); None where the layer has every size.
    shape: tuple[int, ...] | None = None


class LayerTable:
    """Base of the tables of layers."""

    aliases: Mapping[str, str]  # other names of layers
    good_layers: tuple[str, ...]  # chosen by hand: their dreams look good
    fixed_size: Size | None = None  # height and width of the only pictures that the network takes

    @property
    def names(self) -> Iterable[str]:
        """The names of all layers, each after those that it is computed from."""
        raise NotImplementedError

    @cached_property
    def channels(self) -> Mapping[str, int]:
        """Channels of every layer's output."""
        raise NotImplementedError

    def stride(self, name: str) -> int | None:
        """Pixels of the picture from one position of a layer to the next, where that is known."""
        raise NotImplementedError

    def minimum_size(self, *names: str) -> int:
        """The smallest side, in pixels, of a picture on which none of these layers is empty."""
        raise NotImplementedError

    def halo(self, *names: str) -> Halo | None:
        """The pixels that a value of these layers depends on, around the pixel of its position.

        Returns:
            Pixels (before, after) that pixel, for rows, then for columns; None if it may be the
            whole picture.
        """
        raise NotImplementedError

    def has_place(self, name: str) -> bool:
        """Whether the positions of a layer are places in the picture, rows and columns of it."""
        raise NotImplementedError

    def token_count(self, name: str) -> int | None:
        """Tokens of a layer that is a sequence of them, at the network's size; else None."""
        del name
        return None

    def position_count(self, name: str, size: Integer[AnyArray, "2"]) -> Array | int | None:
        """Positions of a layer on a picture of this height and width; None if only its shape tells.

        ``size`` may be data of a program.
        """
        raise NotImplementedError

    def last_map(self, names: Iterable[str], size: Size) -> str:
        """The last layer up to these that has more than one position on a picture of this size."""
        raise NotImplementedError

    def floats_per_pixel(self, names: Iterable[str]) -> float:
        """Numbers that are computed for these layers for each pixel of a picture, about."""
        raise NotImplementedError

    def layer_infos(self) -> list[LayerInfo]:
        """Every layer with what is known of it."""
        raise NotImplementedError

    @property
    def class_count(self) -> int | None:
        """Outputs of the network's classifier; None without one."""
        logits = self.aliases.get("logits", "logits")
        return self.channels.get(logits)

    def resolve(self, name: str) -> str:
        """The layer's own name for a name or alias.

        Raises:
            JaxdreamError: no such layer; the message lists the nearest.
        """
        name = self.aliases.get(name, name)
        if name in self.channels:
            return name
        near = self._nearest(name)
        hint = nearest_names(near)
        if not near:
            some = self.good_layers[:3] or list(self.names)[:3]
            hint = f"this network has others, such as {', '.join(some)}"
        raise JaxdreamError(f"no layer {name!r}: {hint} (`jaxdream layers` lists all)")

    def _nearest(self, name: str) -> list[str]:
        """Up to three layers with a similar name or alias, preferring those that look good."""
        scores: dict[str, float] = {}
        layers = {**{layer: layer for layer in self.names}, **self.aliases}
        for known, layer in layers.items():
            similarity = difflib.SequenceMatcher(None, name.lower(), known.lower()).ratio()
            if similarity >= _SIMILAR:
                preferred = layer in self.good_layers or layer.endswith("/output")
                score = similarity + (_PREFERENCE if preferred else 0)
                scores[layer] = max(score, scores.get(layer, 0))
        return sorted(scores, key=scores.__getitem__, reverse=True)[:3]

    def check_size(self, size: Size, *names: str) -> None:
        """Make sure that these layers can be computed on a picture of this height and width.

        Raises:
            JaxdreamError: it is too small, or the network takes another size only.
        """
        if self.fixed_size is None:
            layer = names[0] if len(names) == 1 else "the layer"
            check_minimum(size, self.minimum_size(*names), layer)
        elif size != self.fixed_size:
            wanted = f"{self.fixed_size[1]}x{self.fixed_size[0]}"
            raise JaxdreamError(
                f"the picture is {size[1]}x{size[0]} pixels and the network takes {wanted} only: "
                f"resize it (--size {wanted})"
            )

    def nearest_size(self, size: Size, *names: str) -> Size:
        """The size nearest to this one on which these layers can be computed."""
        if self.fixed_size is not None:
            return self.fixed_size
        minimum = self.minimum_size(*names)
        return max(size[0], minimum), max(size[1], minimum)


def check_minimum(size: Size, minimum: int, layer: str = "the layer") -> None:
    """Make sure that a picture of this height and width is large enough for the layers.

    Raises:
        JaxdreamError: a side is under the minimum.
    """
    if min(size) < minimum:
        raise JaxdreamError(
            f"the picture is {size[1]}x{size[0]} pixels and {layer} needs at least "
            f"{minimum}x{minimum}: choose an earlier layer or a larger size"
        )
