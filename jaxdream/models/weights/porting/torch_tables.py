"""The names that PyTorch's programs give to the weights of the networks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from jaxdream.models import (
    googlenet,
    inception5h,
    inception_resnet_v2,
    inception_v3,
    inception_v4,
    resnet,
    vgg,
)
from jaxdream.models.graph import Graph
from jaxdream.models.weights.porting.caffe import AUXILIARY_HEADS


class TorchLayer(NamedTuple):
    """The modules that hold the weights of one layer."""

    modules: tuple[str, ...]  # other names of the convolution or dense layer; a file has one
    norm: str | None = None  # the BatchNorm after it


@dataclass(frozen=True)
class TorchTable:
    """The names in a state dict of one network."""

    build: Callable[[], Graph]
    layers: Mapping[str, TorchLayer]  # by our scope
    epsilon: float = 1e-3  # of its BatchNorms
    left_out: tuple[str, ...] = ()  # beginnings of names used only in training

    @cached_property
    def modules(self) -> frozenset[str]:
        """All convolutions and dense layers."""
        return frozenset(name for layer in self.layers.values() for name in layer.modules)

    def known(self, names: Iterable[str]) -> int:
        """How many of a state dict's names are those of this network's layers."""
        return sum(name.rpartition(".")[0] in self.modules for name in names)


def _plain(names: Mapping[str, str]) -> dict[str, TorchLayer]:
    return {scope: TorchLayer((module,)) for scope, module in names.items()}


def _conv_and_bn(names: Mapping[str, str]) -> dict[str, TorchLayer]:
    """Modules that hold a ``conv`` and a ``bn``."""
    return {scope: TorchLayer((f"{m}.conv",), f"{m}.bn") for scope, m in names.items()}


def _of_caffe_googlenet() -> TorchTable:
    """BVLC's layers in PyTorch, under Caffe's names with underscores."""
    names = {scope: scope.replace("/", "_") for scope in googlenet.googlenet().kernel_shapes}
    # The main classifier is the third, and so named by some.
    layers = {scope: TorchLayer((name, f"{name}_3")) for scope, name in names.items()}
    heads = tuple(head.replace("/", "_") for head in AUXILIARY_HEADS)
    return TorchTable(googlenet.googlenet, layers, left_out=heads)


def _of_inception_v3() -> TorchTable:
    names = inception_v3.torch_names()
    logits = {scope: name for scope, name in names.items() if name == "fc"}
    convs = {scope: name for scope, name in names.items() if name != "fc"}
    layers = _conv_and_bn(convs) | _plain(logits)
    return TorchTable(inception_v3.inception_v3, layers, left_out=("AuxLogits.",))


def _of_torch_googlenet() -> TorchTable:
    layers = _conv_and_bn(googlenet.torch_names()) | _plain({"loss3/classifier": "fc"})
    build = googlenet.torch_googlenet
    return TorchTable(build, layers, left_out=("aux1.", "aux2."))


def _of_resnet50() -> TorchTable:
    layers = {
        scope: TorchLayer((conv,), norm) for scope, (conv, norm) in resnet.torch_norms().items()
    }
    # In robustness, Madry's lab's library, the network is inside others, one of which is a copy.
    around = ("attacker.", "normalizer.", "normalize.")
    layers |= _plain({"fc": "fc"})
    return TorchTable(resnet.resnet50, layers, epsilon=1e-5, left_out=around)


def _of_vgg(depth: vgg.Depth) -> TorchTable:
    names = vgg.torch_names(depth)
    layers = {scope: TorchLayer(modules) for scope, modules in names.items()}
    return TorchTable(lambda: vgg.vgg(depth), layers)


def _of_inception_v4() -> TorchTable:
    layers = _conv_and_bn(inception_v4.torch_names()) | _plain({"last_linear": "last_linear"})
    return TorchTable(inception_v4.inception_v4, layers)


def _of_inception_resnet_v2() -> TorchTable:
    build = inception_resnet_v2.inception_resnet_v2
    convs = inception_resnet_v2.torch_names()
    others = {scope: scope for scope in build().kernel_shapes if scope not in convs}
    return TorchTable(build, _conv_and_bn(convs) | _plain(others))


def _of_inception5h() -> TorchTable:
    return TorchTable(inception5h.inception5h, _plain(inception5h.torch_names()))


# Where a state dict has equally many names of several, it is the first.
TABLES = (
    _of_inception_v3(),
    _of_caffe_googlenet(),
    _of_torch_googlenet(),
    _of_resnet50(),
    _of_vgg(16),
    _of_vgg(19),
    _of_inception5h(),
    _of_inception_v4(),
    _of_inception_resnet_v2(),
)


def table_of(names: Iterable[str]) -> TorchTable | None:
    """The table that knows most of a state dict's names; None if none knows any."""
    names = list(names)
    best = max(TABLES, key=lambda table: table.known(names))
    return best if best.known(names) else None
