"""A curve: what a setting, or the objective, is at each moment of a film."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from jaxdream.curves.easing import LINEAR, ease
from jaxdream.curves.expression import Expression
from jaxdream.curves.times import Moment, Time, Timeline
from jaxdream.errors import JaxdreamError
from jaxdream.settings import Setting, check_value

OBJECTIVE = "objective"  # the curve whose values are texts of objectives
_SHOWN = 80  # characters of a curve in a message


@dataclass(frozen=True)
class Key:
    """What a curve is at one time, and how it comes there from the key before."""

    time: Time
    value: Expression | str  # a text of an objective's curve
    easing: str = LINEAR

    def __str__(self) -> str:
        text = f"{self.time} {self.value}"
        return text if self.easing == LINEAR else f"{text} {self.easing}"


@dataclass(frozen=True)
class Curve:
    """A setting over the frames of a film. Before its first key and after its last it is still."""

    name: str
    keys: tuple[Key, ...]
    setting: Setting | None = field(default=None, compare=False, repr=False)  # whose range holds

    def __str__(self) -> str:
        """The text of which ``parse_curve`` makes this curve."""
        return f"{self.name}: {', '.join(map(str, self.keys))}"

    @property
    def texts(self) -> tuple[str, ...]:
        """The objectives of an objective's curve, each once, in the order of their keys."""
        return tuple(dict.fromkeys(str(key.value) for key in self.keys))

    def with_texts(self, change: Callable[[str], str]) -> "Curve":
        """The curve with each text of an objective changed, as by ``without_folders``."""
        changed = (replace(key, value=change(str(key.value))) for key in self.keys)
        return replace(self, keys=tuple(changed))

    def at(self, moment: Moment) -> float:
        """The value at a moment.

        Raises:
            JaxdreamError: an expression divides by 0 or leaves the range of its setting (names the
                frame), a share of a film without a known number of frames, or this is the curve of
                an objective.
        """
        number, share = self._place(moment)
        value = self._value(number, moment)
        if share:
            other = self._value(number + 1, moment)
            low, high = sorted((value, other))
            # Rounding must not lead out of the range of the setting.
            value = min(max((1 - share) * value + share * other, low), high)
        return value

    def weights_at(self, moment: Moment) -> tuple[float, ...]:
        """The weight of each of ``texts`` at a moment; their sum is 1.

        Raises:
            JaxdreamError: a share of a film without a known number of frames.
        """
        number, share = self._place(moment)
        weights = dict.fromkeys(self.texts, 0.0)
        weights[str(self.keys[number].value)] += 1 - share
        if share:
            weights[str(self.keys[number + 1].value)] += share
        return tuple(weights.values())

    def check(self, timeline: Timeline, *, first: int = 0) -> None:
        """Make sure that the curve can be used for a film.

        Where the number of frames is known, expressions are computed for all of them.

        Args:
            first: the first frame that is needed.

        Raises:
            JaxdreamError: its times do not rise, or as ``at``.
        """
        try:
            for before, key in zip(self.keys, self.keys[1:], strict=False):
                if not timeline.rises(before.time, key.time):
                    frames = map(timeline.frame_of, (before.time, key.time))
                    first_frame, second_frame = (f"{frame:g}" for frame in frames)
                    raise JaxdreamError(
                        f"{key.time} (frame {second_frame}) does not come after {before.time} "
                        f"(frame {first_frame}): give times that rise"
                    )
            timeline.frame_of(self.keys[0].time)  # a share needs the number of frames
        except JaxdreamError as error:
            raise self.error(str(error)) from None
        varies = any(isinstance(k.value, Expression) and not k.value.is_constant for k in self.keys)
        if varies and timeline.frames is not None:
            for frame in range(first, timeline.frames):
                self.at(timeline.at(frame))

    def error(self, message: str) -> JaxdreamError:
        """An error about this curve."""
        return curve_error(str(self), message)

    def _place(self, moment: Moment) -> tuple[int, float]:
        """The number of the last key that was reached, and the share of the way to the next."""
        try:
            reached = [n for n, key in enumerate(self.keys) if moment.has_reached(key.time)]
            if not reached or reached[-1] == len(self.keys) - 1:
                return (reached[-1] if reached else 0), 0.0
            key, following = self.keys[reached[-1]], self.keys[reached[-1] + 1]
            return reached[-1], ease(following.easing, moment.share(key.time, following.time))
        except JaxdreamError as error:
            raise self.error(str(error)) from None

    def _value(self, number: int, moment: Moment) -> float:
        """The value of a key at a moment."""
        value = self.keys[number].value
        if isinstance(value, str):
            raise self.error("it has objectives in the place of numbers: use texts and weights_at")
        try:
            result = value.at(seconds=moment.seconds, frame=moment.frame)
            if self.setting is not None:
                check_value(self.name, result, self.setting)
        except JaxdreamError as error:
            raise self.error(f"at frame {moment.frame} {error}") from None
        return result


def curve_error(text: str, message: str) -> JaxdreamError:
    """An error about the curve that a text means."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return JaxdreamError(f"curve {shown!r}: {message}")


def depends_on_count(curves: Iterable[Curve]) -> bool:
    """Whether curves are other ones for another number of frames: a key's time is a share."""
    return any(key.time.unit == "%" for curve in curves for key in curve.keys)
