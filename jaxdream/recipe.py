"""The exact settings behind a picture, kept in the picture itself."""

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import printable
from jaxdream.images.picture_files import read_recipe_text
from jaxdream.settings import (
    PRECISIONS,
    DreamSettings,
    SourceSettings,
    describe,
    from_values,
)

SCHEMA = 4
# A recipe of schema 3 differs by one name.
_RENAMED = {3: {"canvases": "shapes"}, 4: {}}
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
    files: dict[str, str]  # sha256 by name, of the pictures and vectors that the objective names
    shapes: str = ""  # the padded shapes of its octaves, where they were planned
    input_name: str
    input_sha256: str  # of the file
    provenance: Provenance

    def values(self) -> dict[str, Any]:
        """Everything as JSON holds it, in one object."""
        own = {"size": list(self.size)}
        own |= {name: getattr(self, name) for name in _OWN if name != "size"}
        source = {name: getattr(self.source, name) for name in _SOURCE}
        return {**self.settings.values(), **source, **own, **dataclasses.asdict(self.provenance)}

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
            values = json.loads(text)
            schema = values.pop("recipe")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            raise JaxdreamError("its text is not a recipe of jaxdream") from None
        if type(schema) is not int or schema not in _RENAMED:
            raise JaxdreamError(
                f"its recipe is of version {printable(repr(schema))[:20]}, this jaxdream reads "
                f"{' and '.join(map(str, _RENAMED))}"
            )
        for old, new in _RENAMED[schema].items():
            if old in values:
                values[new] = values.pop(old)
        try:
            return cls._from_values(values, settings, schema)
        except JaxdreamError as error:
            raise JaxdreamError(f"its recipe is damaged: {printable(str(error))[:300]}") from None

    @classmethod
    def _from_values(
        cls, values: dict[str, Any], settings: type[DreamSettings], schema: int
    ) -> "Recipe":
        provenance = {f.name: values.pop(f.name, None) for f in dataclasses.fields(Provenance)}
        own = {name: values.pop(name, _OWN[name]) for name in _OWN}
        source = {name: values.pop(name) for name in _SOURCE if name in values}
        for name, value in {**own, **provenance}.items():
            if not _is_valid(name, value):
                raise JaxdreamError(f"missing or invalid value for {name!r}")
        texts: dict[str, Any] = {
            k: printable(v) if isinstance(v, str) else v for k, v in own.items()
        }
        files = {printable(k): printable(v) for k, v in own["files"].items()}
        return cls(
            settings=from_values(settings, values, schema=schema),
            source=from_values(SourceSettings, source, schema=schema, without=("size",)),
            provenance=Provenance(**{k: printable(v) for k, v in provenance.items()}),
            **texts | {"size": tuple(own["size"]), "files": files},
        )


# The fields that are neither settings nor provenance, with what an older recipe means without them.
_OWN: dict[str, Any] = {
    "size": None, "objective": None, "files": None, "shapes": "", "input_name": None,
    "input_sha256": None,
}  # fmt: skip
_SOURCE = tuple(name for name in describe(SourceSettings) if name != "size")


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """The recipe in a picture that jaxdream wrote.

    Raises:
        JaxdreamError: the file cannot be read, or has no recipe, or a damaged one.
    """
    text = read_recipe_text(path)
    if text is None:
        raise JaxdreamError(
            f"{path} has no jaxdream recipe: jaxdream did not write it, or was interrupted, or the "
            "format keeps none"
        )
    try:
        return Recipe.from_json(text)
    except JaxdreamError as error:
        raise JaxdreamError(f"{path} cannot be replayed: {error}") from None


def provenance(model) -> Provenance:
    """What a picture is made with, here and now."""
    from importlib.metadata import version

    import jax

    return Provenance(
        jaxdream=version("jaxdream"),
        model=model.name,
        weights_sha256=model.weights_sha256,
        precision=model.precision,
        jax=jax.__version__,
        platform=jax.default_backend(),
    )


def _is_valid(name: str, value: object) -> bool:
    if name == "size":
        return (
            isinstance(value, list)
            and len(value) == 2
            and all(type(side) is int and 0 < side <= _MAX_SIDE for side in value)
        )
    if name == "files":
        return isinstance(value, dict) and all(type(text) is str for text in value.values())
    if name == "precision":
        return value in PRECISIONS
    return type(value) is str and len(value) <= _LONGEST
