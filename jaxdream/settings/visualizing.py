"""How pictures of a class, a channel or another objective are made from noise."""

from typing import TYPE_CHECKING

from jaxdream.settings.base import Settings, setting

if TYPE_CHECKING:
    import jax

    from jaxdream.visualization.transforms import RandomTransforms

DIVERSITY = 0.5  # of several pictures of one thing, where none is given


class VisualizeSettings(Settings):
    """How pictures of a class, a channel or another objective are made from noise."""

    title = "how to visualize"

    steps: int = setting(
        default=256, help="steps of Adam", minimum=1, maximum=10**6, also=("iterations",)
    )
    learning_rate: "float | jax.Array" = setting(
        default=0.02,
        help="learning rate of Adam, which changes the picture's spectrum; larger is faster and "
        "rougher",
        kind=float,
        minimum=0,
        exclusive=True,
        maximum=1e6,
        also=("lr", "step_size"),
    )
    total_variation: float = setting(
        default=0.1,
        help="pull towards smooth pictures; more makes a grainy picture smoother",
        metavar="WEIGHT",
        minimum=0,
        maximum=1e6,
        flags=("--tv",),
    )
    anchor: float = setting(
        default=1.0,
        help="pull of the lowest frequencies, the light and colour of large areas, back to where "
        "they began; with 0 they drift, and areas turn dark or blank",
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
    transforms: "bool | RandomTransforms" = setting(
        default=True,
        help="shift, scale and turn the picture at random before each step",
        takes="RandomTransforms",
        also=("robustness",),
    )
