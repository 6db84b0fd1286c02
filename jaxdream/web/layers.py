"""What each good layer does to a picture: small dreams, in a gallery that fills."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import resize_picture
from jaxdream.images.pixels import size_of_longest
from jaxdream.settings import DreamSettings
from jaxdream.variants import Variant, iterate_variants
from jaxdream.web.context import Context
from jaxdream.web.dreams import Prepared, shown
from jaxdream.web.jobs import Progress
from jaxdream.web.uploads import read_upload, uploaded

_SIDE = 224  # pixels
_SETTINGS = DreamSettings(octaves=2, steps=8)


def prepare_layers(context: Context, payload: Any) -> Prepared:
    """Dreams of a picture with each good layer of the network.

    What runs shows a list of pictures with the layers' names, which grows.

    Args:
        payload: the picture's component's value, as the browser sent it.

    Raises:
        JaxdreamError: it is no picture.
    """
    upload = uploaded(payload, context.folder)
    if upload is None:
        raise JaxdreamError("give a picture first: the layers are shown on it")
    picture = read_upload(upload)
    size = size_of_longest(_SIDE, *picture.pixels.shape[:2])
    pixels = resize_picture(picture, size).pixels
    model = context.model()
    names = model.graph.good_layers

    def run(stopped: Callable[[], bool]) -> Iterator[Progress]:
        variants = [Variant(name, _SETTINGS) for name in names]
        found: dict[int, np.ndarray] = {}
        for state in iterate_variants(model, pixels, variants, compute=context.compute):
            if state.dream.done == 1:
                dreams = map(shown, state.dream.at_octave)
                found |= zip(state.indices, dreams, strict=True)
                pictures = [
                    (found[i] if i in found else shown(pixels), names[i]) for i in range(len(names))
                ]
                yield Progress("layers", state.done, pictures)
            if stopped():
                break

    return Prepared(run, len(names) * _SETTINGS.steps * 2.0 * size[0] * size[1])
