"""The mechanism of settings: frozen dataclasses whose fields know their range, unit and help."""

import dataclasses
import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

from jaxdream.errors import JaxdreamError

SettingsType = TypeVar("SettingsType", bound="Settings")


@dataclass(frozen=True)
class Setting:
    """What is known of one setting beside its name and default."""

    help: str  # a sentence without its full stop; the default is added where it is shown
    kind: type  # int, float, bool or str; of the text on a command line and in a recipe
    unit: str = ""
    minimum: int | float = -math.inf
    maximum: int | float = math.inf
    exclusive: bool = False  # the minimum itself is not allowed
    choices: tuple[str, ...] = ()
    metavar: str = ""
    count: int = 1  # how many values it takes
    takes: tuple[str, ...] = ()  # names of classes whose objects it takes as well
    default_text: str = ""  # where the default is not a value that explains itself
    also: tuple[str, ...] = ()  # what other programs call it: only to suggest the right name
    option: bool = True  # whether the command line has it
    flags: tuple[str, ...] = ()  # other names of its option, such as a short one
    shortcuts: tuple[tuple[str, Any], ...] = ()  # options without a value, which stand for one
    since: int = 0  # schema of the first recipes with it
    former: Any = None  # what records without it mean; None: its default

    @property
    def range_text(self) -> str:
        """The values that are allowed, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        low = "" if self.minimum == -math.inf else f"{self.minimum:,.10g}"
        high = "" if self.maximum == math.inf else f"{self.maximum:,.10g}"
        noun = "a whole number" if self.kind is int else "a number"
        if self.exclusive:
            return f"{noun} over {low}" + (f", at most {high}" if high else "")
        if low and high:
            return f"{noun} from {low} to {high}"
        if low:
            return f"{noun} of at least {low}"
        return f"{noun} of at most {high}" if high else f"a finite {noun[2:]}"


def setting(*, default: Any, help: str, kind: type | None = None, **known: Any) -> Any:
    """A field of a class of settings."""
    kind = kind or (str if default is None else type(default))
    return field(default=default, metadata={"setting": Setting(help, kind, **known)})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(setting,))
class Settings:
    """Base of the classes of settings: frozen dataclasses whose values are checked when made."""

    title = ""  # the heading under which ``--help`` and the documentation show them

    def __init_subclass__(cls) -> None:
        # Done here, so that a subclass with one more setting is no more than its fields.
        dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        for name, known in describe(type(self)).items():
            check_value(name, getattr(self, name), known, default=default(type(self), name))
        self.check()

    def check(self) -> None:
        """Make sure that the values go together.

        Raises:
            JaxdreamError: they do not.
        """

    def replace(self: SettingsType, **changes: Any) -> SettingsType:
        """A copy with other values.

        Raises:
            JaxdreamError: no such setting (names the nearest), or a value out of range.
        """
        known = describe(type(self))
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise JaxdreamError(f"no setting {name!r}: {hint}")
        checked = {name: _checked(type(self), name, value) for name, value in changes.items()}
        return dataclasses.replace(self, **checked)  # pyright: ignore[reportArgumentType]

    def values(self) -> dict[str, Any]:
        """The values by name."""
        return {name: getattr(self, name) for name in describe(type(self))}

    def recorded(self) -> dict[str, Any]:
        """The values by name as recipes and journals have them.

        A setting that came later is left out where it is as it was before there was a choice, so
        that what was recorded then is still the same.
        """
        return {
            name: value
            for name, value in self.values().items()
            if not describe(type(self))[name].since or value != _unrecorded(type(self), name)
        }


def describe(cls: type[Settings]) -> dict[str, Setting]:
    """The settings of a class by name, in order."""
    return {f.name: f.metadata["setting"] for f in dataclasses.fields(cls)}  # pyright: ignore[reportArgumentType]


def default(cls: type[Settings], name: str) -> Any:
    """The default of a setting."""
    return getattr(cls, name)


def _unrecorded(cls: type[Settings], name: str) -> Any:
    """What a record means that does not have the setting."""
    former = describe(cls)[name].former
    return default(cls, name) if former is None else former


def default_text(cls: type[Settings], name: str) -> str:
    """The default of a setting as help and tables show it."""
    known, value = describe(cls)[name], default(cls, name)
    if known.default_text:
        return known.default_text
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(f"{part:g}" for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def check_value(name: str, value: Any, known: Setting, *, default: Any = None) -> None:
    """Make sure that a setting has a value it can have.

    Values that are not known yet, as under ``jax.jit``, are not looked at.

    Raises:
        JaxdreamError: another type, or out of range.
    """
    if value is default or (value is None and default is None):
        return
    if known.count > 1:
        if not isinstance(value, Sequence) or len(value) != known.count:
            raise JaxdreamError(f"{name} takes {known.count} numbers, not {value!r}")
        for part in value:
            check_value(name, part, dataclasses.replace(known, count=1))
        return
    if known.choices:
        if isinstance(value, str) and value not in known.choices:
            near = difflib.get_close_matches(value, known.choices, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it is {known.range_text}"
            raise JaxdreamError(f"{name} cannot be {value!r}: {hint}")
        return
    if known.kind is bool:
        if not isinstance(value, bool) and type(value).__name__ not in known.takes:
            objects = " or ".join(f"a {name}" for name in known.takes)
            allowed = f"True, False or {objects}" if objects else "True or False"
            raise JaxdreamError(f"{name} is {allowed}, not {value!r}")
        return
    if known.kind not in (int, float):
        return
    if isinstance(value, str | bytes | bool) or value is None:
        raise JaxdreamError(f"{name} is {known.range_text}, not {value!r}")
    try:
        number = int(value) if known.kind is int else float(value)
        exact = number == value
    except TypeError:  # data of a program, whose value is not known yet; an array of several
        return
    except (ValueError, OverflowError):  # NaN or infinity as a whole number
        number, exact = math.nan, False
    low = number > known.minimum if known.exclusive else number >= known.minimum
    if not (exact and low and number <= known.maximum and math.isfinite(number)):
        raise JaxdreamError(f"{name} is {known.range_text}, not {value}")


def option_name(cls: type[Settings], name: str) -> str:
    """What the command line calls a setting: one that is on by default can be turned off."""
    dashed = name.replace("_", "-")
    return f"--no-{dashed}" if default(cls, name) is True else f"--{dashed}"


def json_fields(
    cls: type[Settings], *, without: Sequence[str] = ()
) -> list[tuple[str, Any] | tuple[str, Any, Any]]:
    """The fields of a JSON object that holds settings, as ``msgspec.defstruct`` takes them.

    A setting that came later may be missing.

    Args:
        without: settings that such files do not have.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, known in describe(cls).items():
        if name not in without:
            kind = _json_type(known) | None if default(cls, name) is None else _json_type(known)
            fields.append((name, kind, _unrecorded(cls, name)) if known.since else (name, kind))
    return fields


def _json_type(known: Setting) -> Any:
    """The type of a setting in JSON, with its range."""
    from msgspec import Meta

    kind: Any = known.kind
    if known.choices:
        kind = Literal[known.choices]
    elif known.kind in (int, float):
        low = "gt" if known.exclusive else "ge"
        limits: dict[str, Any] = {low: known.minimum, "le": known.maximum}
        finite = {name: value for name, value in limits.items() if math.isfinite(value)}
        kind = Annotated[known.kind, Meta(**finite)]
    return tuple[(kind,) * known.count] if known.count > 1 else kind


def _checked(cls: type[Any], name: str, value: Any) -> Any:
    """A value in the type that its field has, after a check.

    Raises:
        JaxdreamError: the setting cannot have it.
    """
    known = describe(cls)[name]
    value = tuple(value) if isinstance(value, list) else value
    check_value(name, value, known, default=default(cls, name))
    if known.kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
