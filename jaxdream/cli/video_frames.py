"""A folder of the frames of a video, in which a run that was stopped goes on."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from jaxdream.cli.frames import FrameFolder
from jaxdream.video.coherence import Carried
from jaxdream.video.dreamer import VideoState
from jaxdream.video.source import Place

_UNKNOWN = 0  # the denominator of the time of a frame that is not finished


class VideoFolder(FrameFolder):
    """The frames of a video that are finished, and what the next ones depend on.

    The state is the time of each frame, and for each scene that is begun what its last finished
    frame hands to the next. Scenes may be dreamed side by side, so that frames can be missing
    between those that are finished.
    """

    kind = "video"

    @property
    def _times(self) -> np.ndarray:
        """The time of each frame, in seconds, as numerators and denominators, (n, 2)."""
        return self.tensors.get("times", np.zeros((0, 2), np.int64))

    @property
    def numbers(self) -> list[int]:
        return [int(number) + 1 for number in np.flatnonzero(self._times[:, 1] != _UNKNOWN)]

    @property
    def finished(self) -> list[Place]:
        """The frames that are finished, in order, with their places in the video."""
        numbers = [number - 1 for number in self.numbers]
        return [Place(n, Fraction(*map(int, self._times[n]))) for n in numbers]

    @property
    def playable(self) -> list[Place]:
        """The finished frames before the first that is missing or damaged."""
        return self.finished[: self.shown]

    @property
    def in_order(self) -> bool:
        """Whether no frame is missing before the last finished one."""
        return self.done == len(self._times)

    @property
    def carried(self) -> dict[int, Carried]:
        """What finished frames hand to the next, by their numbers from 0."""
        return {int(number): self._carried(number) for number in _begun(self.tensors)}

    def _carried(self, number: str) -> Carried:
        found = {name: self.tensors.get(f"{number}.{name}") for name in Carried._fields}
        frames = found.pop("frames")
        assert frames is not None
        return Carried(**found, frames=int(frames))  # pyright: ignore[reportArgumentType]

    def fits(self, tensors: dict[str, np.ndarray], done: int) -> bool:
        times, size = tensors["times"], tuple(self.settings["size"])
        pictures = [
            array for name, array in tensors.items()
            if name.endswith((".frame", ".dream", ".first"))
        ]  # fmt: skip
        known = {
            f"{number}.{name}": name in Carried._field_defaults
            for number in _begun(tensors) for name in Carried._fields
        }  # fmt: skip
        needed = {name for name, can_be_missing in known.items() if not can_be_missing}
        return (
            needed <= set(tensors) - {"times"} <= set(known)
            and times.shape[1:] == (2,)
            and int((times[:, 1] != _UNKNOWN).sum()) == done
            and all(picture.shape == (*size, 3) for picture in pictures)
            and all(each.shape == size for n, each in tensors.items() if n.endswith(".dreamed"))
        )

    def add(self, states: Sequence[VideoState], begin: Fraction) -> None:
        """Write frames, and then what the next ones depend on.

        Args:
            begin: the second of the video of the first frame of all.
        """
        for state in states:
            self.write(state.number + 1, state.image)
        places = [Place(state.number, begin + (state.seconds or 0)) for state in states]
        self.note(places, {state.number: state.carried for state in states})

    def note(self, places: Sequence[Place], carried: Mapping[int, Carried]) -> None:
        """Keep what depends on frames that are written: they are finished.

        Args:
            carried: what frames hand to the next, by their numbers; not needed of those whose next
                one is among them.
        """
        count = max([len(self._times), *(place.number + 1 for place in places)])
        times = np.zeros((count, 2), np.int64)
        times[: len(self._times)] = self._times
        for place in places:
            times[place.number] = place.time.numerator, place.time.denominator
        values = {
            f"{number}.{name}": np.asarray(value)
            for number, each in carried.items()
            for name, value in each._asdict().items() if value is not None
        }  # fmt: skip
        # What a frame hands on is not needed any more when the next one is finished.
        kept = {
            name: array for name, array in {**self.tensors, **values}.items()
            if "." in name and not _is_finished(times, int(name.partition(".")[0]) + 1)
        }  # fmt: skip
        self.keep({**kept, "times": times}, int((times[:, 1] != _UNKNOWN).sum()))


def _begun(tensors: Iterable[str]) -> set[str]:
    """The numbers of the frames of which a state has what they hand to the next."""
    return {name.partition(".")[0] for name in tensors if "." in name}


def _is_finished(times: np.ndarray, number: int) -> bool:
    return number < len(times) and bool(times[number, 1] != _UNKNOWN)
