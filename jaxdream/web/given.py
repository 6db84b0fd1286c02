"""What is known of a picture that a visitor has just given."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import read_recipe_text
from jaxdream.objectives.text import named_networks
from jaxdream.recipe import Recipe
from jaxdream.web.context import Context
from jaxdream.web.dreams import shown
from jaxdream.web.uploads import Upload, read_upload, uploaded
from jaxdream.web.visitors import Visitor


class Given(NamedTuple):
    """What is known of a picture."""

    text: str
    preview: UInt8[np.ndarray, "h w 3"]  # to paint on
    recipe: Recipe | None  # if jaxdream made it


def look_at(context: Context, visitor: Visitor, payload: Any) -> Given:
    """Read a picture that was given, and the recipe in it.

    Args:
        payload: the component's value, as the browser sent it.

    Raises:
        JaxdreamError: it is no picture.
    """
    upload = uploaded(payload, context.folder)
    if upload is None:
        raise JaxdreamError("give a picture first")
    picture = read_upload(upload)
    visitor.originals[picture.sha256] = Path(upload.path)
    height, width, _ = picture.pixels.shape
    recipe, told = _recipe(upload, context, visitor)
    return Given(f"{upload.name}: {width}x{height} pixels. {told}", shown(picture.pixels), recipe)


def _recipe(upload: Upload, context: Context, visitor: Visitor) -> tuple[Recipe | None, str]:
    """The recipe in a file, if it has one, and what to say of it."""
    visitor.original = None
    text = read_recipe_text(upload.path)
    if text is None:
        return None, ""
    try:
        recipe = Recipe.from_json(text)
        networks = named_networks(recipe.objective)
    except JaxdreamError as error:
        return None, f"jaxdream made it, but its settings cannot be loaded: {error}."
    told = "jaxdream made it: its settings are loaded."
    visitor.original = visitor.originals.get(recipe.input_sha256)
    if visitor.original is None:
        told += f" It was dreamed from {recipe.input_name}: give that to dream the same again."
    else:
        told += f" It was dreamed from {recipe.input_name}, which is here too."
    if recipe.source.mask is not None:
        told += " It had a mask: paint one again."
    if guides := [name for name in recipe.files if name not in (recipe.source.mask, *networks)]:
        told += f" Give the guide again: {', '.join(guides)}."
    made_by = recipe.provenance.model
    if made_by != context.model().name:
        told += f" It was made by {made_by}, and this page has {context.model().name}."
    return recipe, told
