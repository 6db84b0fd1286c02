"""A visitor's order for pictures of a class or of channels: checked, then made from noise."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.images.contact_sheet import contact_sheet
from jaxdream.images.picture_files import write_image
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.labels import (
    ImageClass,
    classes_of,
    find_classes,
    named_classes,
    resolve_class,
)
from jaxdream.recipe import UNFINISHED
from jaxdream.settings import Compute, SourceSettings, VisualizeSettings
from jaxdream.types import Size
from jaxdream.visualization.record import visualize_record
from jaxdream.visualization.targets import (
    Target,
    grid_labels,
    parse_channels,
    picture_labels,
    picture_name,
    with_diversity,
)
from jaxdream.visualization.visualize import iterate_visualize
from jaxdream.web.as_python import visualize_python
from jaxdream.web.as_text import visualize_command
from jaxdream.web.context import Context
from jaxdream.web.dreams import Prepared, shown
from jaxdream.web.jobs import Progress
from jaxdream.web.visitors import Result, Visitor

_SIDE = 224  # pixels of a picture, where no size is given, as the command has it
_MOST_PICTURES = 16  # of one order
_MOST_PIXELS = 1024 * 1024  # of the pictures computed together, which are never tiled
_FOUND = 24  # classes that a search shows
_LONGEST = 60  # characters of a class's names that it shows
_GREY = 127.5  # of a picture that is not begun yet


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a visitor asks for: a class, or a layer or channels of it."""

    class_text: str | None = None  # a name, a WordNet id or an index; None: a layer
    layer: str = ""  # by any of its names; if empty, the network's default
    channels: str = ""  # such as 12 or 0-3; if empty, the layer as a whole
    count: int = 1  # pictures of one thing
    settings: VisualizeSettings
    source: SourceSettings  # of which the seed and the size are used


class Found(NamedTuple):
    """The classes that a search has found."""

    choices: list[tuple[str, str]]  # names, and the index as text
    text: str  # what to say of them


def search_classes(model: Network, word: str) -> Found:
    """The classes of a network that have a word in their names; for an empty text, some.

    Raises:
        JaxdreamError: the network's classes have no names, or none has the word (names the
            nearest).
    """
    classes = classes_of(model.graph)
    if not word.strip():
        some = classes[:: -(-len(classes) // _FOUND)]
        return Found(list(map(_choice, some)), f"These are some of {len(classes):,} classes.")
    # What is in no name can be an index or a WordNet id.
    found = find_classes(word, classes=classes) or (resolve_class(word, classes=classes),)
    text = "1 class is found." if len(found) == 1 else f"{len(found):,} classes are found."
    if len(found) > _FOUND:
        text = f"{text[:-1]}; these are the first {_FOUND}."
    return Found(list(map(_choice, found[:_FOUND])), text)


def _choice(one: ImageClass) -> tuple[str, str]:
    names = ", ".join(one.names)
    return names if len(names) <= _LONGEST else f"{names[:_LONGEST]}…", str(one.index)


@dataclass(frozen=True)
class _Plan:
    """A checked order."""

    model: Network
    order: Order
    targets: list[Target]
    size: Size  # of each picture

    @property
    def labels(self) -> list[str]:
        """Of every picture, as a sheet shows them."""
        return grid_labels(self.targets, self.order.count)

    @cached_property
    def objectives(self) -> list[Objective]:
        """What every picture shows, of parts of the network alone: no file or other network."""
        return [target.objective(self.model) for target in self.targets] * self.order.count

    @property
    def settings(self) -> VisualizeSettings:
        """As they are used: with a diversity where there are several pictures of one thing."""
        return with_diversity(self.order.settings, self.objectives)

    @property
    def caption(self) -> str:
        """What is shown, in words."""
        first, count = self.targets[0], self.order.count
        what = f"{first.layer} {self.order.channels}" if first.kind == "channel" else first.label
        return what if count == 1 else f"{what}, {count} pictures"

    @property
    def what(self) -> list[str]:
        """What is shown, in words of the command."""
        first = self.targets[0]
        is_class = first.kind == "class"
        words = ["--class", first.class_text] if is_class else ["--layer", first.layer]
        if first.kind == "channel":
            words += ["--channels", self.order.channels]
        return words if self.order.count == 1 else [*words, "--count", str(self.order.count)]

    def show(self, made: Mapping[int, np.ndarray]) -> Float[np.ndarray, "h w 3"]:
        """The only picture, or a sheet of those that there are by their indices (RGB, 0..255)."""
        if len(self.labels) == 1:
            return made[0]
        return contact_sheet(
            [made[i] for i in sorted(made)], [self.labels[i] for i in sorted(made)]
        )


def prepare_classes(context: Context, visitor: Visitor, order: Order) -> Prepared:
    """Check an order; what makes the picture, or the sheet of several, is run later.

    Raises:
        JaxdreamError: an unknown class, layer or channel, settings that do not go together, or
            more than is allowed.
    """
    plan = _plan(context, order)
    count = len(plan.labels)
    states = iterate_visualize(
        order.source.seed, plan.model, plan.objectives,
        settings=plan.settings, compute=Compute(scan=context.compute.scan), size=plan.size,
    )  # fmt: skip

    def run(stopped: Callable[[], bool]) -> Iterator[Progress]:
        made: dict[int, np.ndarray] = {}
        done, blank = 0.0, np.full((*plan.size, 3), _GREY, np.float32)
        for state in states:
            made |= zip(state.indices, np.asarray(state.images), strict=True)
            done, where = state.done, f"step {state.step} of {state.steps}"
            if len(state.indices) < count:
                where = f"{len(made)} of {count} pictures begun, {where}"
            begun = plan.show(dict.fromkeys(range(count), blank) | made)
            yield Progress(where, done, shown(begun))
            if stopped():
                break
        picture = plan.show(made)
        result = _write(visitor, plan, picture, finished=done == 1)
        yield Progress("finished" if done == 1 else "stopped", done, shown(picture), result)

    height, width = plan.size
    return Prepared(run, float(order.settings.steps * count * height * width))


def _plan(context: Context, order: Order) -> _Plan:
    """An order that can be made.

    Raises:
        JaxdreamError: as ``prepare_classes``; but not all of a layer or a channel is looked at.
    """
    model = context.model()
    targets = _targets(order, model)
    if order.count > 1 and len(targets) > 1:
        raise JaxdreamError(
            f"{order.count} pictures of each of {len(targets)} channels are not made at once: "
            "name one channel, or choose 1 picture"
        )
    if order.count == 1 and order.settings.diversity is not None:
        raise JaxdreamError(
            "diversity is between several pictures of one thing: choose more than 1 picture"
        )
    plan = _Plan(model, order, targets, context.size(order.source.size, (_SIDE, _SIDE)))
    context.check_steps(order.settings.steps)
    count, (height, width) = len(plan.labels), plan.size
    if count > _MOST_PICTURES:
        raise JaxdreamError(
            f"{count} pictures are over the {_MOST_PICTURES} made at once here: name fewer channels"
        )
    # Those of one thing are computed together, others as memory allows.
    if (
        height * width * order.count > _MOST_PIXELS
        or height * width * count > context.limits.megapixels * 10**6
    ):
        pictures = "1 picture" if count == 1 else f"{count} pictures"
        raise JaxdreamError(
            f"{pictures} of {width}x{height} pixels would take too much memory here: choose a "
            "smaller size"
        )
    return plan


def _targets(order: Order, model: Network) -> list[Target]:
    if order.class_text is not None:
        if not order.class_text.strip():
            raise JaxdreamError("choose a class first: search one by its name")
        classes = classes_of(model.graph)
        found = resolve_class(order.class_text, classes=classes)
        name = found.names[0]
        unique = len(named_classes(name, classes=classes)) == 1
        return [Target("class", name, class_text=name if unique else str(found.index))]
    layer = order.layer.strip() or model.default_layer
    model.graph.resolve(layer)  # before the channels, of which there may be too many
    if not order.channels.strip():
        return [Target("layer", "", layer)]
    return [Target("channel", str(i), layer, i) for i in parse_channels(order.channels)]


def _write(visitor: Visitor, plan: _Plan, picture: Float[np.ndarray, "h w 3"], *, finished: bool):
    """The result: the picture in a file, with the text that says how it was made."""
    order, several = plan.order, len(plan.labels) > 1
    labels = picture_labels(plan.targets, order.count)
    path = visitor.new_path(picture_name(labels[0], grid=several))
    record = visualize_record(
        plan.model, plan.settings, pictures=labels, size=plan.size, seed=order.source.seed
    )
    write_image(path, picture, recipe=record if finished else UNFINISHED)
    height, width = plan.size
    words = f"{plan.caption}, {width}x{height}, seed {order.source.seed}"
    named = {"model": plan.model.name, "output": path.name}
    result = Result(
        path, words if finished else f"stopped: {words}",
        visualize_command(
            [*plan.what, *(["--grid"] * several)], order.settings, order.source, **named
        ),
        visualize_python(
            plan.what, order.settings, order.source, **named,
            labels=plan.labels if several else (),
        ),
    )  # fmt: skip
    visitor.keep(result)
    return result
