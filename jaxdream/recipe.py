"""The exact settings behind a picture, kept in the picture itself."""

import dataclasses
import json
import os
from dataclasses import dataclass

from jaxdream.errors import JaxdreamError
from jaxdream.images import read_recipe_text

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a dream depends on, and what it was dreamed with."""

    jaxdream: str  # version
    model: str
    weights_sha256: str  # of the weights' values
    input_name: str
    input_sha256: str  # of the file
    size: tuple[int, int]  # height and width dreamed at
    seed: int
    objective: str
    steps: int
    octaves: int
    octave_scale: float
    step_size: float
    jitter: int
    clip: bool
    jax: str  # version
    platform: str

    def to_json(self) -> str:
        """One line of ASCII JSON."""
        return json.dumps({"recipe": SCHEMA, **dataclasses.asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The recipe that ``to_json`` wrote.

        Raises:
            JaxdreamError: it is not one: not JSON, another schema, other fields, other types.
        """
        try:
            values = json.loads(text)
            schema = values.pop("recipe")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            raise JaxdreamError("its text is not a recipe of jaxdream") from None
        if schema != SCHEMA:
            raise JaxdreamError(
                f"its recipe is of version {schema!r} and this jaxdream reads {SCHEMA}"
            )
        fields = {field.name: field.type for field in dataclasses.fields(cls)}
        if values.keys() != fields.keys():
            wrong = ", ".join(sorted(values.keys() ^ fields.keys()))
            raise JaxdreamError(f"its recipe has missing or unknown settings: {wrong[:200]}")
        for name, kind in fields.items():
            if not _is_a(values[name], kind):
                raise JaxdreamError(f"its recipe has a {name} that is no {name}")
        return cls(**values | {"size": tuple(values["size"])})


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """The recipe in a picture that jaxdream wrote.

    Raises:
        JaxdreamError: the file cannot be read, or carries no recipe, or a damaged one.
    """
    text = read_recipe_text(path)
    if text is None:
        raise JaxdreamError(f"{path} carries no jaxdream recipe: it was not dreamed by jaxdream")
    try:
        return Recipe.from_json(text)
    except JaxdreamError as error:
        raise JaxdreamError(f"{path} cannot be replayed: {error}") from None


def _is_a(value: object, kind: object) -> bool:
    if kind == tuple[int, int]:
        return isinstance(value, list) and len(value) == 2 and all(_is_a(n, int) for n in value)
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    return type(value) is kind
