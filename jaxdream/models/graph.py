"""A network as a table of named nodes, and its geometry, computed without running it.

The same table is used by the interpreter (``Network``), the strict weight loader (names and
shapes), the octave planner (the smallest picture for a layer) and ``jaxdream layers`` (channels,
stride, receptive field).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import accumulate

import numpy as np
from jaxtyping import Array, Integer

from jaxdream.models.layer_table import Halo, LayerInfo, LayerTable
from jaxdream.models.ops import Channels, Conv, Dense, Input, Op, Relu, Side, WeightedOp
from jaxdream.types import AnyArray, Size


@dataclass(frozen=True)
class Node:
    """One named layer: an operation on earlier layers."""

    name: str
    op: Op
    inputs: tuple[str, ...]

    @property
    def scope(self) -> str:
        """The name of its weights: without ``/linear``, the convolution inside a layer."""
        return self.name.removesuffix("/linear")


@dataclass(frozen=True, eq=False)
class Graph(LayerTable):
    """Nodes in an order in which they can be computed.

    Graphs are compared by identity: builders are cached, so one architecture is one graph, and
    comparing it costs nothing when it is static data of a compiled function.
    """

    nodes: Mapping[str, Node]
    aliases: Mapping[str, str] = field(default_factory=dict)  # other names of layers
    good_layers: tuple[str, ...] = ()  # chosen by hand: their dreams look good
    looked_at: bool = True  # False: good layers were chosen by the architecture, without weights
    head: str | None = None  # where its classifier begins, if that is before the logits

    @property
    def names(self) -> Iterable[str]:
        """The names of all layers, each after those that it is computed from."""
        return self.nodes

    def needed(self, names: Iterable[str]) -> tuple[Node, ...]:
        """The nodes that these layers depend on, themselves included, in order."""
        wanted = {self.resolve(name) for name in names}
        for node in reversed(list(self.nodes.values())):
            if node.name in wanted:
                wanted.update(node.inputs)
        return tuple(node for node in self.nodes.values() if node.name in wanted)

    @cache  # noqa: B019 (graphs are cached by their builders, and never die)
    def with_classes(self, count: int | None) -> "Graph":
        """This network with a classifier of other classes, or with none.

        Asked for twice it is the same graph, as that of a builder is.
        """
        if "logits" not in self.aliases:
            return self
        logits = self.nodes[self.aliases["logits"]]
        nodes = dict(self.nodes)
        if count is not None:
            nodes[logits.name] = replace(logits, op=Dense(count))
            return replace(self, nodes=nodes)
        dropped = {self.head or logits.name}
        for node in self.nodes.values():
            if dropped & set(node.inputs):
                dropped.add(node.name)
        kept = {name: node for name, node in nodes.items() if name not in dropped}
        aliases = {alias: name for alias, name in self.aliases.items() if name not in dropped}
        return replace(self, nodes=kept, aliases=aliases)

    @cache  # noqa: B019
    def merged(self, names: tuple[str, ...]) -> tuple["Graph", Mapping[str, tuple[str, ...]]]:
        """This network, for these layers, with the 1x1 convolutions of one input as one.

        Each of the old ones is some of the new one's channels. An Inception block has three of one
        input, which become one matrix product. The maps are the same.

        Returns:
            The graph, and of each new convolution the scopes whose weights it has, one after the
            other along the channels.
        """
        groups: dict[str, list[Node]] = {}
        for node in self.needed(names):
            if node.op == Conv(node.op.output_channels(0), (1, 1)):
                groups.setdefault(node.inputs[0], []).append(node)
        nodes: dict[str, Node] = {}
        scopes: dict[str, tuple[str, ...]] = {}
        for name, node in self.nodes.items():
            group = groups.get(node.inputs[0], []) if node.inputs else []
            if len(group) == 1 or node not in group:
                nodes.setdefault(name, node)
            elif node == group[0]:
                features = [each.op.output_channels(0) for each in group]
                together = "+".join(each.scope for each in group)
                op = Conv(sum(features), (1, 1))
                nodes[together] = Node(together, op, node.inputs)
                scopes[together] = tuple(each.scope for each in group)
                for each, count, stop in zip(group, features, accumulate(features), strict=True):
                    nodes[each.name] = Node(each.name, Channels(stop - count, stop), (together,))
        return replace(self, nodes=nodes), scopes

    @cached_property
    def channels(self) -> Mapping[str, int]:
        """Channels of every layer's output."""
        channels: dict[str, int] = {}
        for node in self.nodes.values():
            channels[node.name] = node.op.output_channels(*(channels[i] for i in node.inputs))
        return channels

    @cached_property
    def kernel_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of the kernel by the scope of its weights; the bias has the kernel's last axis."""
        shapes: dict[str, tuple[int, ...]] = {}
        for node in self.nodes.values():
            if isinstance(node.op, WeightedOp):
                shapes[node.scope] = node.op.kernel_shape(self.channels[node.inputs[0]])
        return shapes

    @cached_property
    def strides(self) -> Mapping[str, int]:
        """Pixels of the picture from one position of a layer to the next."""
        strides: dict[str, int] = {}
        for node in self.nodes.values():
            strides[node.name] = node.op.stride * max((strides[i] for i in node.inputs), default=1)
        return strides

    def stride(self, name: str) -> int:
        """Pixels of the picture from one position of a layer to the next."""
        return self.strides[self.resolve(name)]

    def sizes(self, name: str, size: tuple[Side, Side]) -> dict[str, tuple[Side, Side]]:
        """Height and width of every map computed for layer ``name`` on a picture of this size."""
        sizes: dict[str, tuple[Side, Side]] = {}
        for node in self.needed([name]):
            before = sizes[node.inputs[0]] if node.inputs else size
            sizes[node.name] = node.op.output_size(before)
        return sizes

    def minimum_size(self, *names: str) -> int:
        """The smallest side, in pixels, of a picture on which none of these layers is empty."""
        return self._minimum_size(names)

    @cache  # noqa: B019
    def _minimum_size(self, names: tuple[str, ...]) -> int:
        side = 1
        for name in names:
            while any(min(size) < 1 for size in self.sizes(name, (side, side)).values()):
                side += 1
        return side

    def has_place(self, name: str) -> bool:
        """Whether a layer's positions are places in the picture, and not the whole of it."""
        return self.halo(name) is not None

    def position_count(self, name: str, size: Integer[AnyArray, "2"]) -> Array | int:
        """Positions of a layer on a picture of this height and width, data of a program perhaps."""
        if not self.has_place(name):
            return 1
        sides = size[0], size[1]
        if isinstance(size, np.ndarray):
            sides = int(sides[0]), int(sides[1])
        height, width = self.sizes(name, sides)[self.resolve(name)]
        return height * width

    def last_map(self, names: Iterable[str], size: Size) -> str:
        """The last layer up to these that has more than one position on a picture of this size."""
        names = list(names)
        maps = [
            node.name
            for node in self.needed(names)
            if min(self.sizes(node.name, size)[node.name]) > 1 and node.inputs
        ]
        return maps[-1] if maps else self.resolve(names[0])

    def floats_per_pixel(self, names: Iterable[str]) -> float:
        """Numbers in all maps that are computed for these layers, for each pixel of a picture."""
        needed = (node.name for node in self.needed(names))
        return sum((self.channels[name] / self.strides[name] ** 2 for name in needed), 0.0)

    def halo(self, *names: str) -> Halo | None:
        """The pixels that a value of these layers depends on, around the pixel of its position.

        Returns:
            Pixels (before, after) that pixel, for rows, then for columns; None if one of the layers
            depends on the whole picture.
        """
        nodes = self.needed(names)
        if any(node.op.is_global for node in nodes):
            return None

        def along(axis: int) -> tuple[int, int]:
            before: dict[str, int] = {}
            after: dict[str, int] = {}
            for node in nodes:
                stride = max((self.strides[i] for i in node.inputs), default=1)
                backward, forward = node.op.reach(axis)
                earlier = max((before[i] for i in node.inputs), default=0)
                later = max((after[i] for i in node.inputs), default=0)
                before[node.name] = earlier + backward * stride
                after[node.name] = later + forward * stride
            ends = [self.resolve(name) for name in names]
            return max(before[end] for end in ends), max(0, *(after[end] for end in ends))

        return along(0), along(1)

    def layer_infos(self) -> list[LayerInfo]:
        """Every layer with its channels, stride and receptive field."""
        fields: dict[str, tuple[int, int] | None] = {}
        for node in self.nodes.values():
            stride = max((self.strides[i] for i in node.inputs), default=1)
            fields[node.name] = _receptive_field(node.op, stride, [fields[i] for i in node.inputs])
        return [
            LayerInfo(name, self.channels[name], self.strides[name], fields[name])
            for name in self.nodes
        ]


def _receptive_field(op: Op, stride: int, before: list[tuple[int, int] | None]):
    if isinstance(op, Input):
        return (1, 1)
    known = [field for field in before if field is not None]
    if op.is_global or len(known) < len(before):
        return None
    height, width = (
        max(field[axis] for field in known) + (op.window[axis] - 1) * stride for axis in (0, 1)
    )
    return height, width


class GraphBuilder:
    """Collects nodes in order."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def add(self, name: str, op: Op, *inputs: str) -> str:
        """Add one node and return its name."""
        if name in self.nodes:
            raise ValueError(f"two layers are named {name}")
        self.nodes[name] = Node(name, op, inputs)
        return name

    def conv_relu(
        self,
        name: str,
        x: str,
        features: int,
        window: tuple[int, int] = (1, 1),
        stride: int = 1,
        same: bool = True,
    ) -> str:
        """Add a convolution and its ReLU, which has the name; weights are those of the name.

        Args:
            name: of what comes after the ReLU; the convolution is ``NAME/linear``.
            x: the layer before.
            features: channels.
            window: its height and width.
            stride: its stride.
            same: pad, so that with a stride of 1 the map keeps its size.
        """
        padding = (window[0] // 2, window[1] // 2) if same else (0, 0)
        linear = self.add(f"{name}/linear", Conv(features, window, stride, padding), x)
        return self.add(name, Relu(), linear)
