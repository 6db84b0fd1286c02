"""What all visitors of the page share: the network, the queue, the limits and the folders."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdream.errors import JaxdreamError
from jaxdream.settings import Compute, PageSettings
from jaxdream.web.jobs import JobQueue
from jaxdream.web.visitors import Visitors

if TYPE_CHECKING:  # JAX comes later, so that the page is there at once
    from jaxdream.models.network import Network
    from jaxdream.types import Size

MAX_UPLOAD_MEGAPIXELS = 64  # of a picture, before it is made smaller
VIDEO_LONGEST = 480  # pixels of a video's longer side at most, where no size is given


@dataclass(frozen=True)
class Context:
    """What all visitors of the page share."""

    model: "Callable[[], Network]"  # waits for the network, while it is still being read
    limits: PageSettings
    compute: Compute
    folder: Path  # in which uploaded files lie
    results: Path  # for all that is made; deleted at the end
    queue: JobQueue = field(init=False)
    visitors: Visitors = field(init=False)

    def __post_init__(self) -> None:
        queue = JobQueue(waiting=self.limits.queue)
        object.__setattr__(self, "queue", queue)
        visitors = Visitors(self.results, leave=queue.stop)
        object.__setattr__(self, "visitors", visitors)

    @property
    def rules(self) -> str:
        """What visitors may ask for, in a sentence."""
        limits = self.limits
        return (
            f"Files of up to {limits.upload:,} MB and {MAX_UPLOAD_MEGAPIXELS} megapixels; dreams "
            f"of up to {limits.megapixels:g} megapixels, {limits.total_steps:,} steps and "
            f"{limits.frames:,} frames. One dream is made at a time, up to {limits.queue} wait. "
            "Nobody else sees your pictures. What you make is deleted when you close the page, and "
            "what you upload some hours later."
        )

    def size(self, text: "str | None", own: "Size") -> "Size":
        """Height and width to dream at.

        Args:
            text: as ``--size`` has it; None for the picture's own.
            own: height and width of the picture.

        Raises:
            JaxdreamError: the text is no size, or the size is over the limit.
        """
        from jaxdream.images.pixels import parse_size

        height, width = own if text is None else parse_size(text, *own)
        if height * width > self.limits.megapixels * 10**6:
            raise JaxdreamError(
                f"{width}x{height} pixels are over the {self.limits.megapixels:g} megapixels "
                "allowed here: choose a smaller size"
            )
        return height, width

    def check_steps(self, steps: int) -> None:
        """Make sure that a dream may take so many steps, in all its octaves together.

        Raises:
            JaxdreamError: it may not.
        """
        if steps > self.limits.total_steps:
            raise JaxdreamError(
                f"{steps:,} steps in all are over the {self.limits.total_steps:,} allowed here: "
                "take fewer"
            )

    def check_frames(self, frames: int) -> None:
        """Make sure that a film may have so many frames.

        Raises:
            JaxdreamError: it may not.
        """
        if frames > self.limits.frames:
            raise JaxdreamError(
                f"{frames:,} frames are over the {self.limits.frames:,} allowed here: take fewer"
            )
