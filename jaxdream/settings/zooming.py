"""How the frames of a zoom move."""

from collections.abc import Mapping
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.settings.base import Settings, setting
from jaxdream.settings.dreaming import SPHERE, DreamSettings

EASINGS = ("linear", "in", "out", "in-out")
LOOP = 12  # frames that a film is faded over to repeat without a jump, where no number is given
ONCE, PING_PONG, FADED = "once", "forwards and backwards", "faded loop"


class ZoomSettings(Settings):
    """How the frames of a zoom move."""

    title = "how to zoom"

    frames: int = setting(
        default=100,
        help="frames of the whole zoom; asked again for more, a linear zoom goes on from those "
        "there are",
        minimum=1,
        maximum=10**6,
    )
    zoom: float = setting(
        default=0.02,
        help="share of each side that leaves the picture from frame to frame; below 0 the "
        "picture shrinks",
        minimum=-0.99,
        maximum=0.99,
    )
    rotate: float = setting(
        default=0.0,
        help="degrees from frame to frame, counter-clockwise",
        unit="degrees",
        metavar="DEGREES",
        minimum=-1e4,
        maximum=1e4,
    )
    shift: tuple[float | int, float | int] = setting(
        default=(0.0, 0.0),
        help="pixels from frame to frame, to the right and down",
        kind=float,
        count=2,
        unit="pixels",
        metavar="PIXELS",
        minimum=-1e5,
        maximum=1e5,
    )
    easing: str = setting(
        default="linear",
        help="how the movement is spread over the frames: evenly, from slow to fast (in), "
        "from fast to slow (out), or slow at both ends (in-out)",
        choices=EASINGS,
    )
    damping: float = setting(
        default=0.5,
        help="how much of the contrast and colour that frames have gained since the first is taken "
        "back before the next; with 0, frames burn out after about 20",
        minimum=0,
        maximum=1,
        also=("decay",),
        since=5,
        former=0.0,
    )
    classic_warp: bool = setting(default=False, help="the zoom of 2015, half a pixel off centre")

    def recorded_for_frames(self) -> dict[str, Any]:
        """What is recorded with frames: of a linear zoom, not how many there are."""
        recorded = self.recorded()
        if self.easing == "linear":
            del recorded["frames"]
        return recorded

    def check_with(self, dream: DreamSettings) -> None:
        """Make sure that they go together with how to dream.

        Raises:
            JaxdreamError: they do not.
        """
        if dream.seamless == SPHERE:
            raise JaxdreamError(
                "a zoom enlarges a flat picture, so it cannot dream a sphere: leave out --sphere"
            )


class ZoomFilmSettings(Settings):
    """How the frames of a zoom are shown."""

    title = "the film"

    fps: float = setting(
        default=25.0, help="frames a second", metavar="N", minimum=0.01, maximum=240.0
    )
    repeat: str = setting(
        default=ONCE,
        help="how the film repeats: with a jump (once), or without one, played forwards and then "
        "backwards or with its last frames faded into its first",
        choices=(ONCE, PING_PONG, FADED),
        option=False,  # the command line has one option for each way
    )


# The frames loop of Google's notebook.
CLASSIC_ZOOM: Mapping[str, float | bool] = {"zoom": 0.05, "damping": 0.0, "classic_warp": True}
