"""An objective of another network, on the same picture: several networks in one objective."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Array, Float

from jaxdream.objectives.activations import Activations, seen_by
from jaxdream.objectives.base import ChannelMeans, Combined, Objective, OtherNetwork
from jaxdream.types import pytree

if TYPE_CHECKING:
    from jaxdream.models.layer_table import LayerTable
    from jaxdream.models.network import Network


def of_network(model: "Network", objective: Objective | str) -> Objective:
    """An objective of another network than the dreamed one, on the same picture::

        channel("4c", 12) + 0.5 * of_network(places, channel("4c", 30))

    The other network is a part of the objective: it preprocesses the picture in its own way and
    computes in its own precision, and its weights are leaves of the pytree. It depends on the whole
    picture at once, so that a dream has programs of its exact sizes, and takes the memory of both
    networks.

    Args:
        model: from ``load_model`` or ``wrap``.
        objective: for this network, also as text.

    Source: ``ModelBunch`` of torch-dreams, whose objectives read the layers of several networks.

    Raises:
        JaxdreamError: at once: the text cannot be read, or this network lacks what it names.
    """
    from jaxdream.objectives.text import as_objective

    return OfNetwork(model, as_objective(objective, model, together=True))


@pytree
@dataclass(frozen=True)
class OfNetwork(Combined):
    """An objective for the activations of a network of its own."""

    model: "Network"
    objective: Objective

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.objective,)

    @property
    def layers(self) -> tuple[str, ...]:
        return ()  # of the dreamed network

    @property
    def other_networks(self) -> tuple[OtherNetwork, ...]:
        return ((self.model, self.objective.layers), *self.objective.other_networks)

    def check(self, graph: "LayerTable") -> None:
        del graph
        self.objective.check(self.model.graph)

    def chosen(self, means: ChannelMeans) -> Objective:
        def of_this(network: "Network | None", layer: str, dreamed: bool) -> Float[Array, " c"]:
            return means(network or self.model, layer, dreamed)

        return OfNetwork(self.model, self.objective.chosen(of_this))

    def __call__(self, activations: Activations) -> Float[Array, ""]:
        layers = self.objective.layers
        model = self.model.merged(layers)
        return self.objective(seen_by(model, layers, activations, self))

    def __repr__(self) -> str:
        return f"of_network({self.model.name}, {self.objective})"
