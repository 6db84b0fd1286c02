"""Examples of units: the pictures of a data set that excite each channel of a layer most.

Source: C. Olah, A. Mordvintsev, L. Schubert, "Feature Visualization", Distill 2017
(doi 10.23915/distill.00007), which calls them dataset examples and shows them beside what is
optimised.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from jaxdream.errors import JaxdreamError
from jaxdream.models.network import Network
from jaxdream.settings import ExamplesSettings, takes_settings
from jaxdream.types import AnyArray, Size
from jaxdream.units.pictures import Unreadable, fit, shown_size, stacked
from jaxdream.units.receptive_fields import receptive_boxes
from jaxdream.units.statistics import UnitStatistics, merge_statistics
from jaxdream.units.summary import batch_statistics, layer_shapes

Statistics = dict[str, UnitStatistics]  # by the layers' own names


@dataclass(frozen=True)
class UnitExamples:
    """What excites the channels of one layer most, and how they are distributed.

    Attributes:
        layer: its own name.
        statistics: of all pictures, with the numbers of those that excite most.
        boxes: the receptive field of each example in the picture as it was shown, in pixels: the
            first row and column, and the row and column after the last.
    """

    layer: str
    statistics: UnitStatistics
    boxes: Integer[np.ndarray, "c k 4"]


@takes_settings(settings=ExamplesSettings)
def find_examples(
    model: Network,
    pictures: Iterable[Float[AnyArray, "_ _ 3"]],
    layers: str | Sequence[str],
    *,
    settings: ExamplesSettings,
    first: int = 0,
) -> dict[str, UnitExamples]:
    """The pictures that excite each channel of some layers most, and statistics of all channels.

    Each picture is read once, and the memory does not depend on how many there are.
    ``merge_statistics`` puts the statistics of parts of a data set together.

    Args:
        model: from ``load_model`` or ``wrap``.
        pictures: RGB, 0..255, of any sizes: they may be made as they are asked for.
        layers: a name or alias, or several.
        {settings}
        first: number of the first picture, where they are a part of a data set.

    Returns:
        The examples of each layer, by its own name.

    Raises:
        JaxdreamError: an unknown layer, a size that is too small for one, what is no picture, or
            no pictures.
    """
    work = Pass.planned(model, layers, settings)
    states = work.start()
    taken = iter(pictures)
    numbers = itertools.count(first)
    while batch := list(itertools.islice(taken, settings.batch)):
        fitted = [fit(picture, work.size) for picture in batch]
        states, _ = work.add(states, fitted, [next(numbers) for _ in batch])
    return work.results(states)


@dataclass(frozen=True)
class Pass:
    """One way through many pictures, for some layers of a network."""

    model: Network
    shapes: dict[str, tuple[int, ...]]  # of the layers on one picture
    size: Size  # of the pictures
    settings: ExamplesSettings

    @classmethod
    def planned(
        cls, model: Network, layers: str | Sequence[str], settings: ExamplesSettings
    ) -> "Pass":
        """
        Raises:
            JaxdreamError: an unknown layer, or a size that it cannot have.
        """
        names = [layers] if isinstance(layers, str) else list(layers)
        if not names:
            raise JaxdreamError("layers is an empty sequence: name at least one layer")
        size = shown_size(settings.size, model)
        return cls(model, layer_shapes(model, names, size), size, settings)

    def start(self) -> Statistics:
        """The statistics before the first picture."""
        return {
            name: UnitStatistics.empty(shape[-1], self.settings.top)
            for name, shape in self.shapes.items()
        }

    def add(
        self,
        states: Statistics,
        pictures: Sequence[Float[np.ndarray, "h w 3"] | Unreadable],
        numbers: Sequence[int],
    ) -> tuple[Statistics, list[int]]:
        """The statistics with one more batch, and the numbers of pictures that do not count.

        Args:
            pictures: fitted, at most ``settings.batch``; those that could not be read are left
                out.
            numbers: of the pictures, among all.
        """
        array, valid = stacked(pictures, self.size, self.settings.batch)
        of_slots = np.full(self.settings.batch, -1, np.int64)
        of_slots[: len(numbers)] = numbers
        counted, more = batch_statistics(
            self.model, array, valid, of_slots, self.shapes, top=self.settings.top
        )
        merged = {name: merge_statistics(states[name], more[name]) for name in states}
        return merged, of_slots[valid & ~counted].tolist()

    def results(self, states: Statistics) -> dict[str, UnitExamples]:
        """The examples of each layer.

        Raises:
            JaxdreamError: there was no picture.
        """
        if not any(state.pictures for state in states.values()):
            raise JaxdreamError("there are no pictures to find examples in")
        return {name: self._result(name, state) for name, state in states.items()}

    def _result(self, name: str, state: UnitStatistics) -> UnitExamples:
        positions = np.maximum(state.top_positions, 0)
        boxes = receptive_boxes(
            self.model, name, positions, size=self.size, shape=self.shapes[name]
        )
        boxes[state.top_pictures < 0] = 0
        return UnitExamples(name, state, boxes)
