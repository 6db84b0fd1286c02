"""The exact settings behind a picture, kept in the picture itself."""

import dataclasses
import json
import os
import re
import sys
from dataclasses import dataclass

from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import read_recipe_text

SCHEMA = 3
_SEEDS = 2**32
_LARGEST = 2**30  # of any other whole number, so that a file's wild one is an error, not a crash


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a dream depends on, and what it was dreamed with."""

    jaxdream: str  # version
    model: str
    weights_sha256: str  # of the weights' values
    precision: str  # of the network
    input_name: str
    input_sha256: str  # of the file
    size: tuple[int, int]  # height and width dreamed at
    seed: int
    objective: str  # as ``parse_objective`` reads it
    files: dict[str, str]  # sha256 by name, of the pictures and vectors that the objective names
    guide_size: int  # longest side of the objective's pictures
    steps: int
    octaves: int
    octave_scale: float
    optimizer: str
    step_size: float
    smooth: float  # pixels
    laplacian: int  # levels
    jitter: int
    clip: bool
    jax: str  # version
    platform: str
    canvases: str = ""  # of its octaves, where they were planned (``Canvases.text``)

    def to_json(self) -> str:
        """One line of compact ASCII JSON."""
        values = {"recipe": SCHEMA, **dataclasses.asdict(self)}
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The recipe that ``to_json`` wrote.

        Text comes back with "?" for control characters: it goes to terminals, and a file may hold
        anything.

        Raises:
            JaxdreamError: it is not one: not JSON, another schema, other fields, other types, or
                numbers no dream has.
        """
        try:
            values = json.loads(text)
            schema = values.pop("recipe")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            raise JaxdreamError("its text is not a recipe of jaxdream") from None
        if type(schema) is not int or schema != SCHEMA:
            version = _printable(repr(schema))[:20]
            raise JaxdreamError(f"its recipe is of version {version}, this jaxdream reads {SCHEMA}")
        fields = {field.name: field.type for field in dataclasses.fields(cls)}
        if values.keys() != fields.keys():
            wrong = _printable(", ".join(sorted(values.keys() ^ fields.keys())))
            raise JaxdreamError(f"its recipe has missing or unknown settings: {wrong[:200]}")
        for name, kind in fields.items():
            if not _is_a(values[name], kind, most=_SEEDS - 1 if name == "seed" else _LARGEST):
                raise JaxdreamError(f"its recipe has a {name} that is no {name}")
            if kind is str:
                values[name] = _printable(values[name])
        files = {_printable(k): _printable(v) for k, v in values["files"].items()}
        values["files"] = files
        return cls(**values | {"size": tuple(values["size"])})


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """The recipe in a picture that jaxdream wrote.

    Raises:
        JaxdreamError: the file cannot be read, or carries no recipe, or a damaged one.
    """
    text = read_recipe_text(path)
    if text is None:
        raise JaxdreamError(
            f"{path} carries no jaxdream recipe: it was not dreamed by jaxdream, or not to the "
            "end, or is in a format that keeps none"
        )
    try:
        return Recipe.from_json(text)
    except JaxdreamError as error:
        raise JaxdreamError(f"{path} cannot be replayed: {error}") from None


def made_with(model) -> dict[str, str]:
    """What a recipe says of the network and of the programs it was computed by."""
    from importlib.metadata import version

    import jax

    return {
        "jaxdream": version("jaxdream"),
        "model": model.name,
        "weights_sha256": model.weights_sha256,
        "precision": model.precision,
        "jax": jax.__version__,
        "platform": jax.default_backend(),
    }


def dream_settings(recipe: Recipe) -> dict:
    """What ``jaxdream.dream`` is given of a recipe, but for the picture, objective and key."""
    from jaxdream.algorithm.optimizers import CLASSIC, named_optimizer

    optimizer = None
    if (recipe.optimizer, recipe.smooth, recipe.laplacian) != (CLASSIC, 0, 0):
        optimizer = named_optimizer(
            recipe.optimizer,
            step_size=recipe.step_size,
            smooth=recipe.smooth,
            laplacian=recipe.laplacian,
        )
    same = ("steps", "octaves", "octave_scale", "step_size", "jitter", "clip")
    return {name: getattr(recipe, name) for name in same} | {"optimizer": optimizer}


def _is_a(value: object, kind: object, *, most: int) -> bool:
    if kind == tuple[int, int]:
        pair = value if isinstance(value, list) and len(value) == 2 else [0]
        return all(_is_count(side, most) and side > 0 for side in pair)
    if kind is int:
        return _is_count(value, most)
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return abs(value) <= sys.float_info.max  # which NaN is not
    if kind == dict[str, str]:
        return isinstance(value, dict) and all(type(text) is str for text in value.values())
    return type(value) is kind


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _printable(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", text)
