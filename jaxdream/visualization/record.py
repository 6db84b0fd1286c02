"""The text in a picture from noise that says how it was made."""

import dataclasses
import json
from collections.abc import Mapping, Sequence

from jaxdream.models.network import Network
from jaxdream.recipe import Provenance, provenance
from jaxdream.settings import VisualizeSettings
from jaxdream.types import Size


def visualize_record(
    model: Network,
    settings: VisualizeSettings,
    *,
    pictures: Sequence[str],
    size: Size,
    seed: int,
    files: Mapping[str, str] | None = None,
    input_sha256: str | None = None,
    spectrum_sha256: str | None = None,
    made_with: Provenance | None = None,
) -> str:
    """How pictures were made, as one line of ASCII JSON; for reading, not for replay.

    Args:
        settings: with plain values, as a command line has them.
        pictures: the labels of all that were made together.
        size: height and width of each.
        files: sha256 by name, of the files and networks' weights that the objectives name.
        input_sha256: of the file that they begin from, where that is not noise.
        spectrum_sha256: of the magnitudes of pictures of one's own.
        made_with: the versions and the platform; by default what is here.
    """
    values = settings.complete(photograph=input_sha256 is not None).values() | {
        "recipe": "visualize",
        **dataclasses.asdict(made_with or provenance(model)),
        "pictures": list(pictures),
        "files": dict(files or {}),
        "input_sha256": input_sha256,
        "spectrum_sha256": spectrum_sha256,
        "size": list(size),
        "seed": seed,
    }
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
