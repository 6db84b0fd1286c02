"""What the files about a unit are called."""

from collections.abc import Mapping, Sequence

from jaxdream.errors import JaxdreamError
from jaxdream.visualization.targets import picture_name

Chosen = Mapping[str, Sequence[int]]  # channels by layer


def unit_label(layer: str, channel: int) -> str:
    """The layer and the channel."""
    return f"{layer} {channel}"


def unit_file(layer: str, channel: int, ending: str = ".png") -> str:
    """The name of a file about a unit, as ``jaxdream visualize`` names its picture."""
    return picture_name(unit_label(layer, channel)).removesuffix(".png") + ending


def check_names(layers: Sequence[str]) -> None:
    """Make sure that the files of no two layers have one name.

    Raises:
        JaxdreamError: they have.
    """
    known: dict[str, str] = {}
    for layer in layers:
        other = known.setdefault(unit_file(layer, 0), layer)
        if other != layer:
            raise JaxdreamError(
                f"the files of {other} and {layer} would have the same names: give each layer a "
                "folder of its own"
            )
