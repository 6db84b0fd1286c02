"""Every setting, once: its default, its range, its unit and its help.

The command line, the signatures and docstrings of the Python functions, recipes, journals and the
tables in the documentation are made from these classes, so a new setting is one field here and one
use where it takes effect. Nothing here imports JAX or NumPy: ``jaxdream --help`` is immediate.
"""

import dataclasses
import difflib
import functools
import inspect
import math
import numbers
import textwrap
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, dataclass_transform

from jaxdream.errors import JaxdreamError

if TYPE_CHECKING:
    import jax
    import optax

    from jaxdream.execution.shapes import ShapeBuckets
    from jaxdream.execution.sharding import Sharding
    from jaxdream.visualization.transforms import RandomTransforms

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = typing.get_args(Precision)
SHARDS = ("pictures", "rows")
EASINGS = ("linear", "in", "out", "in-out")
CLASSIC = "classic"  # the optimiser of 2015

Result = TypeVar("Result")
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
    takes: str = ""  # the name of a class whose objects it takes as well
    default_text: str = ""  # where the default is not a value that explains itself
    also: tuple[str, ...] = ()  # what other programs call it: only to suggest the right name
    option: bool = True  # whether the command line has it
    since: int = 0  # schema of the first recipes with it; older ones mean its default

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
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]

    def values(self) -> dict[str, Any]:
        """The values by name."""
        return {name: getattr(self, name) for name in describe(type(self))}


class DreamSettings(Settings):
    """How pictures are dreamed. The defaults are those of 2015."""

    title = "how to dream"

    steps: int = setting(
        default=10, help="steps of gradient ascent in each octave", minimum=1, maximum=10**6,
        also=("iterations", "iter_n", "n_iter", "num_iterations"),
    )  # fmt: skip
    octaves: int = setting(
        default=4, help="sizes to dream at, from small to large; too small ones are left out, with a warning",
        minimum=1, maximum=100, also=("octave_n", "num_octaves", "pyramid_size"),
    )  # fmt: skip
    octave_scale: float = setting(
        default=1.4, help="factor between the size of an octave and the next", minimum=1, exclusive=True,
        maximum=1000.0, also=("scale", "pyramid_ratio"),
    )  # fmt: skip
    step_size: "float | jax.Array" = setting(
        default=1.5, help="mean change of a step, in levels of 255", unit="levels", kind=float,
        minimum=-1e6, maximum=1e6, also=("lr", "learning_rate", "strength", "rate"),
    )  # fmt: skip
    jitter: int = setting(
        default=32, help="the picture is shifted by a random offset of up to so many pixels before each step",
        unit="pixels", minimum=0, maximum=10**6, also=("max_jitter", "shift"),
    )  # fmt: skip
    clip: bool = setting(default=True, help="keep values within 0..255 after every step")
    optimizer: "str | optax.GradientTransformation" = setting(
        default=CLASSIC, help="the step of 2015 (classic), or an optax optimiser such as adam", kind=str,
        metavar="NAME",
    )  # fmt: skip
    smooth: float = setting(
        default=0.0, help="blur gradients by a Gaussian of this standard deviation", unit="pixels",
        metavar="PIXELS", minimum=0, maximum=100, also=("blur", "sigma"),
    )  # fmt: skip
    laplacian: int = setting(
        default=0, help="give so many bands of frequencies of a gradient the same strength; 4 is usual",
        unit="levels", metavar="LEVELS", minimum=0, maximum=16, also=("lap", "lap_n"),
    )  # fmt: skip

    def check(self) -> None:
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
        default=None, help="size to dream at: the longest side, or width and height", metavar="N|WxH",
        default_text="the picture's own",
    )  # fmt: skip
    guide_size: int = setting(
        default=1024, help="guides with a longer side are made so small first; a small guide shows the network "
        "its larger shapes", unit="pixels", metavar="N", minimum=1, maximum=10**6,
    )  # fmt: skip


class Compute(Settings):
    """The machine: how much memory, which devices, which precision. A dream is the same with any.

    (To rounding; bfloat16 makes another picture of the same kind.)
    """

    title = "the machine"

    memory: int | None = setting(
        default=None, help="what jaxdream may take of the memory, such as 2GB; larger pictures are computed in "
        "tiles", kind=int, unit="bytes", metavar="SIZE", minimum=1, maximum=10**18,
        default_text="most of what is free",
    )  # fmt: skip
    shard: "Literal['pictures', 'rows'] | Sharding | None" = setting(
        default=None, help="what all devices of this machine share: the pictures of a batch, or the rows of "
        "each picture", kind=str, choices=SHARDS, default_text="nothing: one device computes",
    )  # fmt: skip
    precision: Precision | None = setting(
        default=None, help="numbers that the network computes with; bfloat16 is for accelerators", kind=str,
        choices=PRECISIONS, default_text="float32",
    )  # fmt: skip
    scan: bool | None = setting(
        default=None, help="whether an octave is one compiled loop (right on GPU and TPU) or a loop over a "
        "compiled step (much faster on CPU)", kind=bool, default_text="by platform", option=False,
    )  # fmt: skip
    shapes: "ShapeBuckets | None" = setting(
        default=None, help="padded shapes that pictures of many sizes share, from plan_shapes", kind=str,
        default_text="sides are rounded up", option=False,
    )  # fmt: skip


class ZoomSettings(Settings):
    """How the frames of a zoom move."""

    title = "how to zoom"

    frames: int = setting(
        default=100, help="frames of the whole zoom; asked again for more, a linear zoom goes on from those "
        "there are", minimum=1, maximum=10**6,
    )  # fmt: skip
    zoom: float = setting(
        default=0.05, help="share of each side that leaves the picture from frame to frame; below 0 the "
        "picture shrinks", minimum=-0.99, maximum=0.99,
    )  # fmt: skip
    rotate: float = setting(
        default=0.0, help="degrees from frame to frame, counter-clockwise", unit="degrees", metavar="DEGREES",
        minimum=-1e4, maximum=1e4,
    )  # fmt: skip
    shift: tuple[float | int, float | int] = setting(
        default=(0.0, 0.0), help="pixels from frame to frame, to the right and down", kind=float, count=2,
        unit="pixels", metavar="PIXELS", minimum=-1e5, maximum=1e5,
    )  # fmt: skip
    easing: str = setting(
        default="linear", help="how the movement is spread over the frames: evenly, from slow to fast (in), "
        "from fast to slow (out), or slow at both ends (in-out)", choices=EASINGS,
    )  # fmt: skip
    classic_warp: bool = setting(default=False, help="the zoom of 2015, half a pixel off centre")


class VisualizeSettings(Settings):
    """How pictures of a class, a channel or another objective are made from noise."""

    title = "how to visualize"

    steps: int = setting(
        default=256, help="steps of Adam", minimum=1, maximum=10**6, also=("iterations",)
    )
    learning_rate: "float | jax.Array" = setting(
        default=0.02, help="learning rate of Adam, which changes the picture's spectrum; larger is faster and "
        "rougher", kind=float, minimum=0, exclusive=True, maximum=1e6, also=("lr", "step_size"),
    )  # fmt: skip
    total_variation: float = setting(
        default=0.1, help="pull towards smooth pictures; try 0.02 where large areas stay blank or dark, more "
        "where the picture is grainy", metavar="WEIGHT", minimum=0, maximum=1e6, also=("tv",),
    )  # fmt: skip
    diversity: float | None = setting(
        default=None, help="pull that makes several pictures of one objective differ", kind=float,
        metavar="WEIGHT", minimum=0, maximum=1e6,
        default_text="0; on the command line 0.5 with --count",
    )  # fmt: skip
    transforms: "bool | RandomTransforms" = setting(
        default=True, help="shift, scale and turn the picture at random before each step",
        takes="RandomTransforms", also=("robustness",),
    )  # fmt: skip


def describe(cls: type[Settings]) -> dict[str, Setting]:
    """The settings of a class by name, in order."""
    return {f.name: f.metadata["setting"] for f in dataclasses.fields(cls)}  # pyright: ignore[reportArgumentType]


def default(cls: type[Settings], name: str) -> Any:
    """The default of a setting."""
    return getattr(cls, name)


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
        if not isinstance(value, bool) and type(value).__name__ != known.takes:
            allowed = f"True, False or a {known.takes}" if known.takes else "True or False"
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


def settings_table(*classes: type[Settings]) -> str:
    """The settings as a table in Markdown, as the documentation has it."""
    lines = ["| option | Python | default | |", "|---|---|---|---|"]
    for cls in classes:
        for name, known in describe(cls).items():
            shown = f"`{option_name(cls, name)}`" if known.option else ""
            lines.append(f"| {shown} | `{name}` | {default_text(cls, name)} | {known.help} |")
    return "\n".join(lines)


def option_name(cls: type[Settings], name: str) -> str:
    """What the command line calls a setting: one that is on by default can be turned off."""
    dashed = name.replace("_", "-")
    return f"--no-{dashed}" if default(cls, name) is True else f"--{dashed}"


def takes_settings(
    **parameters: type[Settings],
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Lets a function that takes objects of settings take each setting by its name as well.

    ``takes_settings(settings=DreamSettings, compute=Compute)`` is for a function with the
    keyword-only parameters ``settings`` and ``compute``. Callers may leave these out, give them,
    and override single settings: ``dream(..., settings=mine, steps=20, memory=10**9)``. Signature
    and docstring (at ``{settings}``) show every setting.
    """
    owner = {name: which for which, cls in parameters.items() for name in describe(cls)}

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        names = [name for name in inspect.signature(function).parameters if name not in parameters]

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Result:
            given = {which: named.pop(which, None) for which in parameters}
            changes: dict[str, dict[str, Any]] = {which: {} for which in parameters}
            for name in [name for name in named if name in owner]:
                changes[owner[name]][name] = named.pop(name)
            for name in named:
                if name not in names:
                    raise _unknown(function.__name__, name, [*names, *parameters, *owner])
            for which, cls in parameters.items():
                base = cls() if given[which] is None else given[which]
                if not isinstance(base, cls):
                    raise JaxdreamError(f"{which} is a {cls.__name__}, not {base!r}")
                named[which] = base.replace(**changes[which])
            return function(*arguments, **named)

        call.__signature__ = _signature(function, parameters)  # pyright: ignore[reportAttributeAccessIssue]
        call.__doc__ = _with_settings(function.__doc__ or "", parameters)
        return call

    return decorate


def _unknown(function: str, name: str, known: Sequence[str]) -> TypeError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def _signature(function: Callable, parameters: Mapping[str, type[Settings]]) -> inspect.Signature:
    signature = inspect.signature(function)
    own = [
        p.replace(default=None, annotation=f"{parameters[p.name].__name__} | None")
        if p.name in parameters
        else p
        for p in signature.parameters.values()
    ]
    each = [
        inspect.Parameter(
            f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=_type_text(f.type)
        )
        for cls in parameters.values()
        for f in dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
    ]
    return signature.replace(parameters=[*own, *each])


def _type_text(annotation: object) -> Any:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _with_settings(docstring: str, parameters: Mapping[str, type[Settings]]) -> str:
    """A docstring with a line for every setting at ``{settings}``."""
    lines = []
    for which, cls in parameters.items():
        names = ", ".join(describe(cls))
        lines.append(f"{which}: a {cls.__name__}; each of its settings can be given by name too:")
        lines.append(f"    {names}.")
        for name, known in describe(cls).items():
            text = f"{name}: {known.help} (default: {default_text(cls, name)})."
            lines += textwrap.wrap(text, 88, subsequent_indent="    ")
    block = "\n".join("    " * 2 + line for line in lines)
    return docstring.replace("        {settings}", block)


def from_values(
    cls: type[Any], values: Mapping[str, Any], *, schema: int, without: Sequence[str] = ()
) -> Any:
    """Settings from values that were read from a file, as JSON holds them.

    Args:
        schema: of the file: a setting that came later may be missing, and has its default.
        without: settings that such files do not have.

    Raises:
        JaxdreamError: missing or unknown settings, or values that they cannot have.
    """
    known = {name: s for name, s in describe(cls).items() if name not in without}
    needed = {name for name, s in known.items() if s.since <= schema}
    if wrong := sorted((values.keys() - known.keys()) | (needed - values.keys())):
        raise JaxdreamError(f"missing or unknown settings: {', '.join(wrong)[:200]}")
    checked = {}
    for name, value in values.items():
        expected = known[name]
        same_kind = isinstance(value, bool) == (expected.kind is bool)
        if expected.kind is str:
            same_kind = isinstance(value, str)
        if value is None and default(cls, name) is None:
            same_kind = True
        if not same_kind:
            raise JaxdreamError(f"invalid value for {name!r}")
        checked[name] = tuple(value) if isinstance(value, list) else value
    return cls(**checked)
