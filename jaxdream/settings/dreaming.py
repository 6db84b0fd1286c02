"""How pictures are dreamed, and what from."""

import numbers
from typing import TYPE_CHECKING

from jaxdream.errors import JaxdreamError
from jaxdream.settings.base import Settings, default, setting

if TYPE_CHECKING:
    import jax
    import optax
    from jaxtyping import Float

SPHERE = "sphere"
SEAMLESS = ("x", "y", "both", SPHERE)
_MOST_STEPS = 10**7  # of all octaves, whose jitter is drawn at once
MASK_AND_SEAMLESS = "a mask cannot be combined with --tile: the whole picture is the tile"
CLASSIC = "classic"  # the optimiser of 2015


class DreamSettings(Settings):
    """How pictures are dreamed. The defaults are those of 2015."""

    title = "how to dream"

    steps: int = setting(
        default=10,
        help="steps of gradient ascent in each octave",
        minimum=1,
        maximum=10**6,
        also=("iterations", "iter_n", "n_iter", "num_iterations"),
    )
    octaves: int = setting(
        default=4,
        help="sizes to dream at, from small to large; too small ones are left out, with a warning",
        minimum=1,
        maximum=100,
        also=("octave_n", "num_octaves", "pyramid_size"),
    )
    octave_scale: float = setting(
        default=1.4,
        help="factor between the size of an octave and the next",
        minimum=1,
        exclusive=True,
        maximum=1000.0,
        also=("scale", "pyramid_ratio"),
    )
    smallest: int | None = setting(
        default=None,
        help="begin where the shorter side is about this long, with as many octaves as that takes, "
        "so that pictures of any size get the same look",
        kind=int,
        unit="pixels",
        metavar="PIXELS",
        minimum=1,
        maximum=10**6,
        also=("min_size", "smallest_octave"),
        default_text="the number of octaves decides",
        since=5,
    )
    step_size: "float | Float[jax.Array, '']" = setting(
        default=1.5,
        help="mean change of a step, in levels of 255",
        unit="levels",
        kind=float,
        minimum=-1e6,
        maximum=1e6,
        also=("lr", "learning_rate", "rate"),
    )
    jitter: int = setting(
        default=32,
        help="the picture is shifted by a random offset of up to this many pixels before each step",
        unit="pixels",
        minimum=0,
        maximum=10**6,
        also=("max_jitter", "shift"),
    )
    seamless: str | None = setting(
        default=None,
        help="let the picture go on around its sides (x), from bottom to top (y) or both, so that "
        "the dream tiles; or dream a 360-degree panorama, twice as wide as high (sphere)",
        choices=SEAMLESS,
        flags=("--tile",),
        shortcuts=(("--sphere", SPHERE),),
        also=("tiling", "tileable", "circular", "wrap"),
        default_text="neither",
        since=5,
    )
    clip: bool = setting(default=True, help="keep values within 0..255 after every step")
    optimizer: "str | optax.GradientTransformation" = setting(
        default=CLASSIC,
        help="the step of 2015 (classic), or an optax optimiser such as adam",
        kind=str,
        metavar="NAME",
    )
    smooth: float = setting(
        default=0.0,
        help="blur gradients by a Gaussian of this standard deviation",
        unit="pixels",
        metavar="PIXELS",
        minimum=0,
        maximum=100,
        also=("blur", "sigma"),
    )
    laplacian: int = setting(
        default=0,
        help="split a gradient into this many bands of frequencies, and give all the same "
        "strength; 4 is usual",
        unit="levels",
        metavar="LEVELS",
        minimum=0,
        maximum=16,
        also=("lap", "lap_n"),
    )
    keep_colours: bool = setting(
        default=False,
        help="keep the picture's own colours: of the dream only the lightness is taken",
        also=("original_colors", "keep_colors", "preserve_color"),
        since=5,
    )
    keep_contrast: bool = setting(
        default=False,
        help="give the dream the mean and the deviation of the picture's lightness",
        also=("adjust_contrast",),
        since=5,
    )
    strength: float = setting(
        default=1.0,
        help="how much of the dream is blended over the picture: 0 nothing, 1 the dream alone",
        minimum=0,
        maximum=1,
        also=("blend", "opacity", "alpha"),
        since=5,
    )

    def check(self) -> None:
        if self.steps * self.octaves > _MOST_STEPS:
            raise JaxdreamError(
                f"{self.steps:,} steps in {self.octaves} octaves are {self.steps * self.octaves:,} "
                f"steps: at most {_MOST_STEPS:,} are made in all"
            )
        if not isinstance(self.optimizer, str):
            if not (hasattr(self.optimizer, "init") and hasattr(self.optimizer, "update")):
                raise JaxdreamError(
                    f"optimizer is the name of one or an optax optimiser, not {self.optimizer!r}"
                )
            own = self.step_size
            if not isinstance(own, numbers.Real) or own != default(DreamSettings, "step_size"):
                raise JaxdreamError(
                    "step_size is for optimisers that are given by name: give an optax optimiser "
                    "its learning rate where it is made"
                )


class SourceSettings(Settings):
    """What a command dreams from, beside the pictures and the objective themselves."""

    title = "what to dream from"

    seed: int = setting(
        default=0, help="seed of all that is random", minimum=0, maximum=2**32 - 1, metavar="N"
    )
    size: str | None = setting(
        default=None,
        help="size to dream at: the longest side, or width and height",
        metavar="N|WxH",
        default_text="the picture's own",
    )
    guide_size: int = setting(
        default=1024,
        help="guides with a longer side are first made this small; a small guide shows the network "
        "its larger shapes",
        unit="pixels",
        metavar="N",
        minimum=1,
        maximum=10**6,
    )
    begin: str | None = setting(
        default=None,
        help="begin from grey noise, with the seed, instead of a picture",
        choices=("noise",),
        flags=("--from",),
        default_text="the picture",
        since=5,
    )
    make_tile: bool = setting(
        default=False,
        help="first change a picture that does not tile, so that it does: it is faded into a copy "
        "that is shifted by half",
        since=5,
    )
    mask: str | None = setting(
        default=None,
        help="a picture that says where to dream: white all, grey less, black nothing; alpha for "
        "the transparency of the dreamed picture itself",
        metavar="FILE",
        default_text="everywhere",
        since=5,
    )
    mask_invert: bool = setting(
        default=False, help="dream where the mask is black instead", since=5
    )
    mask_feather: float = setting(
        default=0.0,
        help="soften the mask's edges by a Gaussian of this standard deviation",
        unit="pixels",
        metavar="PIXELS",
        minimum=0,
        maximum=10**4,
        since=5,
    )

    def check(self) -> None:
        if self.mask is None and (self.mask_invert or self.mask_feather):
            raise JaxdreamError("mask_invert and mask_feather need a mask: give one by --mask FILE")

    def check_with(self, dream: DreamSettings) -> None:
        """Make sure that they go together with how to dream.

        Raises:
            JaxdreamError: they do not.
        """
        if self.make_tile and dream.seamless is None:
            raise JaxdreamError("--make-tile needs --tile, which says what goes on: x, y or both")
        if self.mask is not None and dream.seamless is not None:
            raise JaxdreamError(MASK_AND_SEAMLESS)
