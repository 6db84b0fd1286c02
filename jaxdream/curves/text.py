"""Curves as text: ``NAME: KEY, KEY, ...``, where a key is ``TIME VALUE [EASING]``.

    step_size: 0 0.5, 4s 2.0 in-out
    rotate: 0 -1, 50% 3*sin(t), 100% 0 hold
    zoom: 0.02 + 0.01*sin(2*pi*t/3)
    objective: 0 inception_3b/output, 8s strongest(4c, 10)

TIME is a frame's number from 0 (``12``), seconds (``4s``), or a share of the whole film (``50%``).
A VALUE is an expression (``expression``), or of ``objective`` the text of one, in which commas
within parentheses and quotes separate no keys. EASING shapes the way to the key from the one before
(``easing.ease``); with ``hold`` the value stays until the key. A single value without a time is
that of the whole film.

Alone, ``12 -1`` is the value -1 at frame 12, ``12 - 1`` the value 11 of the whole film.
"""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from jaxdream.curves.curve import OBJECTIVE, Curve, Key, curve_error
from jaxdream.curves.easing import KEY_EASINGS, LINEAR
from jaxdream.curves.expression import Expression, parse_expression
from jaxdream.curves.times import Time, Timeline, Unit
from jaxdream.errors import JaxdreamError
from jaxdream.settings import Setting, check_value

_LONGEST = 10_000  # characters
_MOST_KEYS = 1000
_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_TIMED = re.compile(rf"{_NUMBER}(s|%)?\s+(\S.*)", re.ASCII | re.DOTALL)
_EXPRESSION = re.compile(rf"{_NUMBER}\s+([+*/)]|-\s).*", re.ASCII | re.DOTALL)
_TIME_ALONE = re.compile(rf"{_NUMBER}[s%]", re.ASCII)
# After an operator comes no easing but a layer of that name.
_EASED = re.compile(rf"(.*[^\s+*/(,-])\s+({'|'.join(KEY_EASINGS)})", re.DOTALL)
_AXES = ("x", "y", "z")
_UNITS: Mapping[str, Unit] = {"": "", "s": "s", "%": "%"}


def parse_curves(
    texts: Sequence[str], allowed: Mapping[str, Setting], *, timeline: Timeline | None = None
) -> dict[str, Curve]:
    """The curves that texts mean, by name.

    Args:
        texts: of curves; see the module.
        allowed: the settings that may have one. Those of two values have one for each: ``shift_x``
            and ``shift_y`` for ``shift``.
        timeline: of the film, where it is known: times and the values of all frames are checked.

    Raises:
        JaxdreamError: as ``parse_curve``; no such name (names the nearest), or one that is given
            twice; a value that is out of the setting's range; as ``Curve.check``.
    """
    settings = _by_axis(allowed)
    curves: dict[str, Curve] = {}
    for text in [texts] if isinstance(texts, str) else texts:
        curve = parse_curve(text)
        if curve.name not in settings:
            near = difflib.get_close_matches(curve.name, settings, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(settings)}"
            raise curve_error(text, f"nothing named {curve.name!r} can have a curve: {hint}")
        if curve.name in curves:
            raise curve_error(text, f"there are two curves of {curve.name}: give one")
        curve = replace(curve, setting=settings[curve.name])
        _check_constants(curve)
        if timeline is not None:
            curve.check(timeline)
        curves[curve.name] = curve
    return curves


def parse_curve(text: str) -> Curve:
    """The curve that a text means; see the module.

    ``str(curve)`` is a text of which this makes the same curve.

    Raises:
        JaxdreamError: the text cannot be read, or its times do not rise.
    """
    if len(text) > _LONGEST:
        raise curve_error(text, f"it has {len(text):,} characters: at most {_LONGEST:,} are read")
    name, colon, rest = text.partition(":")
    name = name.strip().replace("-", "_")
    if not colon or not re.fullmatch(r"\w+", name, re.ASCII):
        raise curve_error(
            text, "a curve is NAME: TIME VALUE, TIME VALUE, as in 'zoom: 0 0.02, 4s 0.05'"
        )
    try:
        parts = _split(rest)
        if len(parts) > _MOST_KEYS:
            raise JaxdreamError(f"it has {len(parts):,} keys: at most {_MOST_KEYS:,} are read")
        keys = tuple(_key(name, part, alone=len(parts) == 1) for part in parts)
        if keys[0].easing != LINEAR:
            raise JaxdreamError(
                f"{keys[0].easing!r} after the first key has no effect: an easing shapes the way "
                "to its key from the one before, so write it after the second"
            )
        _check_order(keys)
    except JaxdreamError as error:
        raise curve_error(text, str(error)) from None
    return Curve(name, keys)


def _split(text: str) -> list[str]:
    """The parts between the commas that are not within parentheses or quotes."""
    parts, start, depth, quote = [], 0, 0, ""
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "()":
            depth = max(depth + (1 if sign == "(" else -1), 0)
        elif sign == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    if quote:
        raise JaxdreamError(f"a quote {quote} is not closed")
    return [*parts, text[start:].strip()]


def _key(name: str, text: str, *, alone: bool) -> Key:
    """The key that a part of a curve's text means."""
    if not text:
        raise JaxdreamError("a key is missing: each is TIME VALUE, with commas between them")
    match = None if alone and _EXPRESSION.fullmatch(text) else _TIMED.fullmatch(text)
    if match is None and _TIME_ALONE.fullmatch(text):
        raise JaxdreamError(f"{text!r} has no value: a key is TIME VALUE, as in '{text} 0.5'")
    if match is None and not alone:
        raise JaxdreamError(
            f"{text!r} begins with no time: give a frame (12 VALUE), seconds (4s VALUE) or a share "
            "(50% VALUE)"
        )
    # A single value without a time holds for the whole film from the first frame on.
    time = Time(0.0) if match is None else _time(match[1], match[2] or "")
    value, easing = text if match is None else match[3], LINEAR
    eased = _EASED.fullmatch(value)
    if eased is not None:
        value, easing = eased[1], eased[2]
    # As a key has it: "- 1" would be read as what is taken from the time.
    value = re.sub(r"^-\s+", "-", value)
    if value[0] in "+*/)":
        raise JaxdreamError(f"{value!r} begins with {value[0]}: give a value")
    return Key(time, value if name == OBJECTIVE else _expression(value), easing)


def _expression(text: str) -> Expression:
    try:
        return parse_expression(text)
    except JaxdreamError as error:
        *number, word = text.split()
        near = difflib.get_close_matches(word.replace("_", "-"), KEY_EASINGS, n=1, cutoff=0.7)
        if number and near:
            raise JaxdreamError(f"no easing {word!r}: did you mean {near[0]}?") from None
        raise JaxdreamError(f"in {text!r} {error}") from None


def _time(number: str, sign: str) -> Time:
    unit = _UNITS[sign]
    amount = float(number)
    if not math.isfinite(amount):
        raise JaxdreamError(f"the time {number[:20]}... is too large")
    if unit == "" and not amount.is_integer():
        raise JaxdreamError(f"a frame's number is whole, not {number}: seconds are {number}s")
    if unit == "%" and amount > 100:
        raise JaxdreamError(f"a share of the film is from 0% to 100%, not {number}%")
    return Time(amount, unit)


def _check_order(keys: Sequence[Key]) -> None:
    """Make sure that times of one unit rise, which needs nothing known of the film."""
    last: dict[str, Time] = {}
    for key in keys:
        before = last.get(key.time.unit)
        if before is not None and key.time.amount <= before.amount:
            raise JaxdreamError(f"{key.time} does not come after {before}: give times that rise")
        last[key.time.unit] = key.time


def _by_axis(allowed: Mapping[str, Setting]) -> dict[str, Setting]:
    """The settings with one value for each name."""
    settings: dict[str, Setting] = {}
    for name, setting in allowed.items():
        if setting.count == 1:
            settings[name] = setting
        else:
            axes = _AXES[: setting.count]
            settings |= {f"{name}_{axis}": replace(setting, count=1) for axis in axes}
    return settings


def _check_constants(curve: Curve) -> None:
    """Make sure that the setting can have the values that are known without a film."""
    for key in curve.keys:
        if isinstance(key.value, Expression) and key.value.is_constant:
            try:
                value = key.value.at(seconds=0.0, frame=0)
                if curve.setting is not None:
                    check_value(curve.name, value, curve.setting)
            except JaxdreamError as error:
                raise curve.error(str(error)) from None
