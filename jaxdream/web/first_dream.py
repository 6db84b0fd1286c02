"""What the first dream of a page would wait for, done while its visitor chooses a picture."""

from jaxdream.algorithm.keys import drawn_offsets, single_key
from jaxdream.objectives.labels import KNOWN_CLASSES
from jaxdream.settings import DreamSettings

# Imported here, so that they are there when a visitor's event needs them.
from jaxdream.web import classes, dreams, given, layers, videos, zooms

__all__ = ["classes", "dreams", "given", "layers", "prepare_first_dream", "videos", "zooms"]


def prepare_first_dream() -> None:
    """Read the names of classes, and compile what draws the jitter."""
    for named in KNOWN_CLASSES:
        named()
    settings = DreamSettings()
    sizes = [[(64, 64)]] * settings.octaves  # of any size: the jitter is drawn alike
    drawn_offsets([single_key(0)], sizes, settings)
