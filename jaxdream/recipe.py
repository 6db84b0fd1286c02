"""The exact settings behind a picture, kept in the picture itself."""

import dataclasses
import json
import os
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import printable
from jaxdream.files.schema import convert, decode
from jaxdream.files.version import jaxdream_version
from jaxdream.images.picture_files import mark, read_recipe_text
from jaxdream.settings import (
    PRECISIONS,
    DreamSettings,
    SourceSettings,
    describe,
    json_fields,
)

SCHEMA = 5
_NO_DREAM = {  # what ``picture_files.mark`` says instead of a recipe, with what it means
    "unfinished": "it was interrupted, and only a finished dream can be made again",
    "frame": "it is a frame of a zoom",
    "preview": "it is a preview: use the finished dream",
    "sheet": "it is a sheet of several dreams: dream one of them by itself",
    "filters": "it shows filters, and is no dream",
    "visualize": "it was made by `jaxdream visualize`, and is no dream of a picture",
}
UNFINISHED = mark("unfinished")
# What recipes of other schemas call by another name.
_RENAMED: dict[int, dict[str, str]] = {3: {"canvases": "shapes"}, 4: {}, 5: {}}
# Of what is kept with the frames of a film, and in it.
FILM_SCHEMAS = {"zoom": 2, "video": 1}
# Of a recipe's values, what matters to frames for nothing except rounding.
_ROUNDING = ("jaxdream", "jax", "platform", "input_name", "shapes")
_LONGEST = 10_000  # characters of a text in a recipe
_MAX_SIDE = 10**6


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a picture was made with: it explains differences, and decides nothing but rounding."""

    jaxdream: str  # version
    model: str
    weights_sha256: str  # of the weights' values
    precision: str  # of the network
    jax: str  # version
    platform: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a dream depends on, and what it was made with."""

    settings: DreamSettings
    source: SourceSettings  # its size is the text that was given, if any; the true one is below
    size: tuple[int, int]  # height and width dreamed at
    objective: str  # as ``parse_objective`` reads it
    # sha256 by name, of the pictures, vectors and networks' weights that the objective names
    files: dict[str, str]
    shapes: str = ""  # the padded shapes of its octaves, where they were planned
    input_name: str
    input_sha256: str  # of the file
    provenance: Provenance

    def values(self) -> dict[str, Any]:
        """Everything as JSON holds it, in one object."""
        own = {"size": list(self.size)}
        own |= {name: getattr(self, name) for name in _OWN if name != "size"}
        source = {k: v for k, v in self.source.recorded().items() if k in _SOURCE}
        return {**self.settings.recorded(), **source, **own, **dataclasses.asdict(self.provenance)}

    def to_json(self) -> str:
        """One line of compact ASCII JSON.

        Raises:
            JaxdreamError: the optimiser is an object, which no text can hold.
        """
        if not isinstance(self.settings.optimizer, str):
            raise JaxdreamError("a recipe holds an optimiser by its name: give one by name")
        values = {"recipe": SCHEMA, **self.values()}
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, *, settings: type[DreamSettings] = DreamSettings) -> "Recipe":
        """The recipe that ``to_json`` wrote, also one of an earlier schema.

        Text comes back with "?" for control characters: it goes to terminals, and a file may hold
        anything.

        Raises:
            JaxdreamError: it is not one: not JSON, another schema, unknown settings, other types,
                or numbers that no dream has.
        """
        try:
            values = decode(text, dict[str, Any])
            schema = values.pop("recipe")
        except (JaxdreamError, KeyError):
            raise JaxdreamError("its text is not a recipe of jaxdream") from None
        if isinstance(schema, str) and schema in _NO_DREAM:
            raise JaxdreamError(_NO_DREAM[schema])
        if type(schema) is not int or schema not in _RENAMED:
            raise JaxdreamError(
                f"its recipe is of version {printable(repr(schema))[:20]}, this jaxdream reads "
                f"{' and '.join(map(str, _RENAMED))}"
            )
        for old, new in _RENAMED[schema].items():
            if old in values:
                values[new] = values.pop(old)
        try:
            found = msgspec.structs.asdict(convert(values, _json_object(settings)))
            return cls._of(found, settings)
        except JaxdreamError as error:
            raise JaxdreamError(f"its recipe is damaged: {printable(str(error))[:300]}") from None

    @classmethod
    def _of(cls, found: dict[str, Any], settings: type[DreamSettings]) -> "Recipe":
        found["files"] = {printable(k): printable(v) for k, v in found["files"].items()}
        texts: dict[str, Any] = {
            k: printable(v) if isinstance(v, str) else v for k, v in found.items()
        }
        made_with = [field.name for field in dataclasses.fields(Provenance)]
        return cls(
            settings=settings(**{name: found[name] for name in describe(settings)}),
            source=SourceSettings(**{name: found[name] for name in _SOURCE}),
            provenance=Provenance(**{name: texts[name] for name in made_with}),
            **{name: texts[name] for name in _OWN},
        )


_SOURCE = tuple(name for name in describe(SourceSettings) if name != "size")
_Text = Annotated[str, Meta(max_length=_LONGEST)]
_Side = Annotated[int, Meta(ge=1, le=_MAX_SIDE)]
# The fields that are neither settings nor provenance: their types, and what an older recipe means
# without them.
_OWN: dict[str, tuple[Any, ...]] = {
    "size": (tuple[_Side, _Side],),
    "objective": (_Text,),
    "files": (dict[_Text, _Text],),
    "shapes": (_Text, ""),
    "input_name": (_Text,),
    "input_sha256": (_Text,),
}


@cache
def _json_object(settings: type[DreamSettings]) -> type[msgspec.Struct]:
    """The JSON object that a recipe is."""
    provenance: dict[str, Any] = dict.fromkeys(
        (field.name for field in dataclasses.fields(Provenance)), _Text
    )
    provenance["precision"] = Literal[PRECISIONS]
    fields = [
        *json_fields(settings),
        *json_fields(SourceSettings, without=("size",)),
        *((name, *known) for name, known in _OWN.items()),
        *provenance.items(),
    ]
    return msgspec.defstruct("Recipe", fields, kw_only=True, forbid_unknown_fields=True)


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """The recipe in a picture that jaxdream wrote.

    Raises:
        JaxdreamError: the file cannot be read, or has no recipe, or a damaged one.
    """
    text = read_recipe_text(path)
    if text is None:
        raise JaxdreamError(
            f"{path} has no jaxdream recipe: jaxdream did not write it, or the format keeps none"
        )
    try:
        return Recipe.from_json(text)
    except JaxdreamError as error:
        raise JaxdreamError(f"{path} cannot be replayed: {error}") from None


def recorded_frames(recipe: Recipe, more: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the frames of a film depend on, and what they are made with, as JSON can hold it.

    Args:
        more: that they depend on, beside what a recipe of a picture has.
    """
    made_with = dataclasses.asdict(recipe.provenance) | {"input_name": recipe.input_name}
    settings = {name: v for name, v in (recipe.values() | more).items() if name not in _ROUNDING}
    return settings, made_with


def film_json(
    kind: str, settings: dict[str, Any], made_with: dict[str, Any], *, indent: int | None = None
) -> str:
    """The text that is kept in a film, in ASCII.

    Args:
        kind: ``"zoom"`` or ``"video"``.
        settings: as of ``recorded_frames``, like ``made_with``.
    """
    values = {kind: FILM_SCHEMAS[kind], "settings": settings, "made_with": made_with}
    return json.dumps(values, indent=indent)


def provenance(model) -> Provenance:
    """What a picture is made with, here and now."""
    import jax

    return Provenance(
        jaxdream=jaxdream_version(),
        model=model.name,
        weights_sha256=model.weights_sha256,
        precision=model.precision,
        jax=jax.__version__,
        platform=jax.default_backend(),
    )
