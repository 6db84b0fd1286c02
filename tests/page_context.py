"""What the page's modules need to make something, without a page."""

from pathlib import Path

import numpy as np
from tiny_network import tiny_network

from jaxdream.images.picture_files import write_image
from jaxdream.settings import Compute, PageSettings
from jaxdream.web.context import Context
from jaxdream.web.uploads import Upload


def page_context(folder: Path, *, model=None, **limits) -> Context:
    """What visitors of a page share, with a tiny network."""
    model = tiny_network() if model is None else model
    return Context(lambda: model, PageSettings(**limits), Compute(), folder, folder / "results")


def upload(context: Context, name: str = "sky.png", *, size=(24, 32), alpha=None) -> Upload:
    """A picture of noise that a visitor gave; ``size`` is height and width."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.float32)
    path = context.folder / name
    write_image(path, pixels, alpha=alpha)
    return Upload(str(path), name)


def never() -> bool:
    """Nobody stops it."""
    return False
