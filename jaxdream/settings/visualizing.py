"""How pictures of a class, a channel or another objective are made from noise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jaxdream.settings.base import Settings, setting

if TYPE_CHECKING:
    import jax

    from jaxdream.visualization.crops import RandomCrops
    from jaxdream.visualization.transforms import RandomTransforms

DIVERSITY = 0.5  # of several pictures of one thing, where none is given

# What is not given, by what is learnt of the picture.
_OWN: Mapping[str, Mapping[str, float]] = {
    "fourier": {"learning_rate": 0.02, "total_variation": 0.1, "anchor": 1.0},
    "maco": {"learning_rate": 0.2, "total_variation": 0.0, "anchor": 0.0},
}
_SIDES = {"fourier": 224, "maco": 512}
_PHOTOGRAPH_RATE = 0.05  # of maco; a faster one scatters the photograph in its first step


def _by_parametrization(name: str) -> str:
    return f"{_OWN['fourier'][name]:g}; with maco {_OWN['maco'][name]:g}"


class VisualizeSettings(Settings):
    """How pictures of a class, a channel or another objective are made from noise."""

    title = "how to visualize"

    steps: int = setting(
        default=256, help="steps of Adam", minimum=1, maximum=10**6, also=("iterations",)
    )
    parametrization: str = setting(
        default="fourier",
        help="what is learnt of the picture's spectrum: all of it (fourier), or its phases only, "
        "with the magnitudes of natural pictures (maco), for deep layers and transformers",
        choices=tuple(_OWN),
        also=("param", "method"),
    )
    learning_rate: "float | jax.Array | None" = setting(
        default=None,
        help="learning rate of Adam, which changes the picture's spectrum; larger is faster and "
        "rougher",
        kind=float,
        default_text=f"{_by_parametrization('learning_rate')}, from a photograph "
        f"{_PHOTOGRAPH_RATE:g}",
        minimum=0,
        exclusive=True,
        maximum=1e6,
        also=("lr", "step_size"),
    )
    total_variation: float | None = setting(
        default=None,
        help="pull towards smooth pictures; more makes a grainy picture smoother",
        kind=float,
        default_text=_by_parametrization("total_variation"),
        metavar="WEIGHT",
        minimum=0,
        maximum=1e6,
        flags=("--tv",),
    )
    anchor: float | None = setting(
        default=None,
        help="pull of the lowest frequencies, the light and colour of large areas, back to where "
        "they began; with 0 they drift, and areas turn dark or blank",
        kind=float,
        default_text=_by_parametrization("anchor"),
        metavar="WEIGHT",
        minimum=0,
        maximum=1e6,
    )
    diversity: float | None = setting(
        default=None,
        help="pull that makes several pictures of one objective differ",
        kind=float,
        metavar="WEIGHT",
        minimum=0,
        maximum=1e6,
        default_text="0; on the command line 0.5 with --count",
    )
    keep: str | None = setting(
        default=None,
        help="layer whose activations are to stay near those of the photograph that the picture "
        "begins from, so that it shows what there excites the objective",
        metavar="LAYER",
        default_text="none",
        also=("regularization_layer",),
    )
    keep_weight: float = setting(
        default=1.0,
        help="pull towards what is kept; with 1 about as strong as that of the objective",
        metavar="WEIGHT",
        minimum=0,
        maximum=1e6,
    )
    transforms: "bool | RandomTransforms | RandomCrops" = setting(
        default=True,
        help="shift, scale and turn the picture at random before each step; from noise with maco, "
        "look at random crops of it",
        takes=("RandomTransforms", "RandomCrops"),
        also=("robustness",),
    )

    @property
    def side(self) -> int:
        """Of pictures for which no size is given, in pixels."""
        return _SIDES[self.parametrization]

    def complete(self, *, photograph: bool) -> "VisualizeSettings":
        """These settings, with those of the parametrization where none are given.

        Args:
            photograph: whether the pictures begin from one, and not from noise.
        """
        own = dict(_OWN[self.parametrization])
        if photograph and self.parametrization == "maco":
            own["learning_rate"] = _PHOTOGRAPH_RATE
        return self.replace(**{n: own[n] for n in own if getattr(self, n) is None})
