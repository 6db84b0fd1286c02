"""Pictures whose statistics are computed together: a folder of them is cut into parts.

The statistics of all are merged from those of the parts, in their order. Where the parts begin and
end depends on the number of pictures alone. So the result is the same whether a run was stopped or
not, and whoever computes a part.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from jaxdream.folder.inputs import Input
from jaxdream.units.examples import Pass, Statistics
from jaxdream.units.pictures import NOT_FINITE, Read, Unreadable, read_batches

_MOST = 512  # pictures of a part, or the next multiple of those of a batch
_PARTS = 64  # at least, where there are several batches for each: so that many workers have some


class ExamplesPart(NamedTuple):
    """Pictures of a folder, one after the other."""

    first: int  # the number of the first, among all
    inputs: Sequence[Input]
    begun: Statistics | None  # of the part's pictures before these, where a run was stopped there

    def label(self) -> str:
        """Its name, for messages."""
        return f"pictures {self.first + 1} to {self.first + len(self.inputs)}"


class Found(NamedTuple):
    """What came of some further pictures of a part."""

    read: int  # pictures
    failed: Sequence[Unreadable]  # of these
    states: Statistics  # of the part so far
    whole: bool  # whether these were its last pictures


def parts_of(
    inputs: Sequence[Input], first: int, begun: Statistics | None, *, batch: int
) -> Iterator[ExamplesPart]:
    """The parts of a folder that are left.

    Args:
        inputs: all pictures.
        first: the number of the first picture that is left.
        begun: the statistics of the pictures before that which are in the same part.
        batch: pictures that are computed together.
    """
    most = min(_MOST, -(-len(inputs) // _PARTS))
    size = -(-most // batch) * batch
    while first < len(inputs):
        end = min((first // size + 1) * size, len(inputs))
        yield ExamplesPart(first, inputs[first:end], begun)
        first, begun = end, None


def find_in(work: Pass, part: ExamplesPart, batches: Iterator[Read]) -> Iterator[Found]:
    """Compute a part, batch by batch.

    Args:
        batches: of its pictures, and perhaps of others after them; numbered as among all.
    """
    states, end = work.start() if part.begun is None else part.begun, part.first + len(part.inputs)
    for batch in batches:
        states, refused = work.add(states, batch.pictures, batch.numbers)
        failed = [one for one in batch.pictures if isinstance(one, Unreadable)]
        failed += [Unreadable.of(part.inputs[n - part.first], NOT_FINITE) for n in refused]
        whole = batch.numbers[-1] + 1 == end
        yield Found(len(batch.numbers), failed, states, whole)
        if whole:
            return


def read_part(work: Pass, part: ExamplesPart) -> Generator[Read, None, None]:
    """The pictures of a part alone, numbered as among all."""
    numbers = range(len(part.inputs))
    with closing(
        read_batches(part.inputs, numbers, work.size, batch=work.settings.batch)
    ) as batches:
        for batch in batches:
            yield Read([part.first + number for number in batch.numbers], batch.pictures)
