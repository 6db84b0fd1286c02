"""A visitor's order for a dream: checked, and then made by ``iterate_dream``."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from jaxdream.algorithm.octaves import octave_options, octave_sizes, plan_octaves
from jaxdream.deepdream import iterate_dream
from jaxdream.display import to_uint8
from jaxdream.dream_state import DreamState
from jaxdream.errors import JaxdreamError
from jaxdream.execution.shapes import shared_shapes
from jaxdream.files.writing import replacing
from jaxdream.images.masks import MaskSource
from jaxdream.images.noise import NAME as NOISE
from jaxdream.images.noise import noise_picture
from jaxdream.images.picture_files import (
    Picture,
    encode_image,
    resize_picture,
    write_image,
)
from jaxdream.images.pixels import size_of_longest
from jaxdream.images.seamless import check_sphere, make_seamless
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.morphs import check_alone
from jaxdream.objectives.text import named_files, parse_objective, quoted
from jaxdream.recipe import UNFINISHED, Recipe, provenance
from jaxdream.settings import SPHERE, DreamSettings, SourceSettings
from jaxdream.types import Size
from jaxdream.web.as_python import dream_python
from jaxdream.web.as_text import dream_command
from jaxdream.web.context import Context
from jaxdream.web.jobs import Progress, Run
from jaxdream.web.uploads import Painting, Upload, read_upload
from jaxdream.web.visitors import Result, Visitor

_LONGEST_SHOWN = 1024  # pixels: pictures of a dream on its way are made so small
_MASK = "mask.png"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a visitor asks for."""

    picture: Upload | None
    objective: str  # a layer's name, or any objective as text
    settings: DreamSettings
    source: SourceSettings  # all but the mask's file
    guide: Upload | None = None
    painting: Painting | None = None


class Prepared(NamedTuple):
    """An order that was checked."""

    run: Run
    cost: float | int  # pixels times steps
    before: UInt8[np.ndarray, "h w 3"] | None = None  # the picture it begins from, to look at


@dataclass
class UploadedFiles(ObjectiveFiles):
    """The files that an objective may name: those that the visitor gave, by their names.

    Networks are the registered ones, by their names.
    """

    uploads: Mapping[str, Upload] = field(default_factory=dict)

    def read(self, path: str) -> Picture:
        if path not in self.uploads:
            raise JaxdreamError(
                "an objective on this page cannot name a file: give a guide picture beside it"
            )
        return read_upload(self.uploads[path])

    def vector(self, path: str) -> Float[np.ndarray, " c"]:
        del path
        raise JaxdreamError("an objective on this page cannot name a file of numbers")


@dataclass(frozen=True)
class Subject:
    """What a dream or a film begins from and maximises, checked."""

    model: Network
    picture: Picture  # at the size to dream at
    name: str  # of the picture
    objective: Objective
    mask: Float[np.ndarray, "h w"] | None
    mask_path: Path | None
    recipe: Recipe  # without padded shapes
    source: SourceSettings  # as a command has it: with the size's text

    @property
    def size(self) -> Size:
        height, width, _ = self.picture.pixels.shape
        return height, width

    @property
    def cost(self) -> int:
        """Pixels times steps of one dream of it."""
        settings = self.recipe.settings
        sizes = octave_sizes(self.model, self.objective, self.size, settings)
        return settings.steps * sum(height * width for height, width in sizes)


def subject(context: Context, visitor: Visitor, order: Order) -> Subject:
    """Check an order, and read what it names.

    Raises:
        JaxdreamError: a bad picture, guide, painting or objective, or more than is allowed.
    """
    settings, source = order.settings, order.source
    source.check_with(settings)
    picture, name = _picture(context, visitor, order)
    size = picture.pixels.shape[0], picture.pixels.shape[1]
    model = context.model()
    objective, text, named = read_objective(model, order.objective, order.guide, source.guide_size)
    context.check_steps(settings.steps * len(plan_octaves(size, **octave_options(settings))))
    octave_sizes(model, objective, size, settings)  # which checks that the layer fits
    mask, mask_path = None, None
    if order.painting is not None and (shares := order.painting.mask(size)) is not None:
        mask_path = visitor.new_path(_MASK)
        write_image(mask_path, np.repeat(255 * shares[..., None], 3, axis=-1))
        source = source.replace(mask=str(mask_path))
        source.check_with(settings)
        masks = MaskSource.asked(source, _nobody)
        assert masks is not None
        mask = masks.of(picture, name)
        source, named = masks.named(source, named)
    recipe = Recipe(
        settings=settings, source=source.replace(size=None), size=size, objective=text,
        files=named, input_name=name, input_sha256=picture.sha256, provenance=provenance(model),
    )  # fmt: skip
    return Subject(model, picture, name, objective, mask, mask_path, recipe, source)


def prepare(context: Context, visitor: Visitor, order: Order) -> Prepared:
    """Check an order for a picture; what makes it is run later.

    Raises:
        JaxdreamError: as ``subject``.
    """
    dreamed = subject(context, visitor, order)
    settings = dreamed.recipe.settings
    shapes = shared_shapes(plan_octaves(dreamed.size, **octave_options(settings)), settings.steps)
    compute = context.compute.replace(shapes=shapes)
    recipe = replace(dreamed.recipe, shapes=shapes.text())

    def run(stopped: Callable[[], bool]) -> Iterator[Progress]:
        pixels, state = dreamed.picture.pixels, None
        states = iterate_dream(
            recipe.source.seed, dreamed.model, pixels, dreamed.objective,
            settings=settings, compute=compute, mask=dreamed.mask,
        )  # fmt: skip
        for state in states:
            yield Progress(where(state), state.done, shown(state.at_full_size(pixels)))
            if stopped():
                break
        if state is None:
            return
        finished = state.done == 1
        dream = state.at_octave if finished else state.at_full_size(pixels)
        path = visitor.new_path(f"{Path(dreamed.name).stem}_dream.png")
        text = recipe.to_json() if finished else UNFINISHED
        content = encode_image(path, dream, alpha=dreamed.picture.alpha, recipe=text)
        with replacing(path) as file:
            file.write(content)
        height, width = dreamed.size
        words = f"{recipe.objective}, {width}x{height}, seed {recipe.source.seed}"
        result = _result(path, words if finished else f"{words}, unfinished", dreamed)
        visitor.keep(result)
        yield Progress("finished" if finished else "stopped", state.done, shown(dream), result)

    return Prepared(run, dreamed.cost, shown(dreamed.picture.pixels))


def where(state: DreamState) -> str:
    """How far a dream is, in words."""
    return f"octave {state.octave + 1} of {state.octaves}, step {state.step} of {state.steps}"


def shown(image) -> UInt8[np.ndarray, "h w 3"]:
    """A picture (RGB, 0..255) to look at while it is dreamed, with at most 1024 pixels a side."""
    levels = to_uint8(np.asarray(image))
    height, width, _ = levels.shape
    if max(height, width) <= _LONGEST_SHOWN:
        return levels
    height, width = size_of_longest(_LONGEST_SHOWN, height, width)
    return np.asarray(Image.fromarray(levels).resize((width, height), Image.Resampling.BOX))


def _result(path: Path, caption: str, dreamed: Subject) -> Result:
    recipe = dreamed.recipe
    words = dreamed.name, recipe.objective, recipe.settings, dreamed.source
    named = {"model": dreamed.model.name, "output": path.name}
    return Result(
        path, caption, dream_command(*words, **named), dream_python(*words, **named),
        mask=dreamed.mask_path,
    )  # fmt: skip


def _picture(context: Context, visitor: Visitor, order: Order) -> tuple[Picture, str]:
    """The picture at the size to dream at, and its name."""
    source, sphere = order.source, order.settings.seamless == SPHERE
    if source.begin is not None:
        context.size(source.size, (1, 1))  # before it is made
        picture = noise_picture(source.seed, source.size, sphere=sphere)
        height, width, _ = picture.pixels.shape
        context.size(None, (height, width))
        return picture, NOISE
    if order.picture is None:
        raise JaxdreamError("give a picture first, or choose to begin from noise")
    picture = read_upload(order.picture)
    visitor.originals[picture.sha256] = Path(order.picture.path)
    height, width, _ = picture.pixels.shape
    picture = resize_picture(picture, context.size(source.size, (height, width)))
    if sphere:
        check_sphere((picture.pixels.shape[0], picture.pixels.shape[1]))
    if source.make_tile and order.settings.seamless is not None:
        picture = make_seamless(picture, order.settings.seamless)
    return picture, order.picture.name


def read_objective(
    model: Network, text: str, guide: Upload | None, guide_size: int
) -> tuple[Objective, str, dict[str, str]]:
    """What is maximised, its whole text, and the sha256 of the files and networks in it, by name.

    Args:
        text: a layer's name, or any objective; if empty, the network's default layer.
        guide: a picture whose features the layer dreams.
        guide_size: its longest side at most, in pixels.

    Raises:
        JaxdreamError: a bad objective or guide.
    """
    text = text.strip() or model.default_layer
    # The text of a recipe names its guide already.
    if guide is not None and not named_files(text):
        model.graph.resolve(text)  # what goes with a guide is a layer
        text = f"guide({quoted(guide.name)}, {text})"
    files = UploadedFiles(guide_size)
    if guide is not None:
        files.uploads = dict.fromkeys(named_files(text), guide)
    objective = parse_objective(text, model, files=files)
    check_alone(objective)
    return objective, text, files.by_name()


def _nobody(line: str) -> None:
    del line
