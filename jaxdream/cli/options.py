"""Options of the command line made from classes of settings, and settings read from options."""

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeVar

from jaxdream.cli.exit_codes import BAD_INPUT
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import as_line
from jaxdream.settings import (
    Setting,
    Settings,
    check_value,
    default,
    default_text,
    describe,
    option_name,
)

SettingsClass = TypeVar("SettingsClass", bound=Settings)

_UNITS = ("", "K", "M", "G", "T")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and suggest the option that was meant."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*arguments, **options)
        self.synonyms: dict[str, str] = {}  # of other programs: "--iterations": "--steps"
        self.commands: dict[str, Parser] = {}

    def command(self, name: str) -> "Parser":
        """The parser of a command; this one if there is none of that name."""
        return self.commands.get(name, self)

    def error(self, message: str) -> NoReturn:
        print(f"jaxdream: {as_line(message)} (see `{self.prog} --help`)", file=sys.stderr)
        sys.exit(BAD_INPUT)

    def unknown(self, arguments: Sequence[str]) -> NoReturn:
        """End with an error for what no option takes."""
        first = arguments[0].partition("=")[0].lstrip("-").replace("_", "-")
        known = [name for action in self._actions for name in action.option_strings]
        # Without the dashes, which would make all names alike.
        near = difflib.get_close_matches(first, [name.lstrip("-") for name in known], n=1)
        meant = self.synonyms.get(f"--{first}", f"--{near[0]}" if near else "")
        hint = f"; did you mean {meant}?" if meant else ""
        self.error(f"unknown argument {' '.join(arguments)}{hint}")


def add_settings(
    parser: Parser,
    cls: type[Settings],
    *,
    without: Sequence[str] = (),
    defaults: dict[str, Any] | None = None,
    help: dict[str, str] | None = None,
    absent: bool = False,
) -> None:
    """Add an option for every setting of a class, under its title.

    Args:
        without: settings that this command does not have.
        defaults: of this command, where they differ from the class's.
        help: of this command, where it differs from the class's.
        absent: leave a setting that is not given out of the options, so that a look can set it.
    """
    group = parser.add_argument_group(cls.title)
    for name, known in describe(cls).items():
        if not known.option or name in without:
            continue
        flag = option_name(cls, name)
        for other in known.also:
            parser.synonyms[f"--{other.replace('_', '-')}"] = flag
        value = (defaults or {}).get(name, default(cls, name))
        text = (help or {}).get(name, known.help).replace("%", "%%")
        if known.kind is bool:
            action = "store_false" if default(cls, name) is True else "store_true"
            shown = f"do not {text}" if default(cls, name) is True else text
            unset = argparse.SUPPRESS if absent else action == "store_false"
            group.add_argument(flag, dest=name, action=action, default=unset, help=shown)
            continue
        own = default_text(cls, name) if value == default(cls, name) else value
        group.add_argument(
            flag,
            *known.flags,
            dest=name,
            default=argparse.SUPPRESS if absent else value,
            type=partial(_converted, name, known),
            choices=known.choices or None,
            nargs=known.count if known.count > 1 else None,
            metavar=_metavar(known),
            help=f"{text} (default: {own})",
        )
        for short, meaning in known.shortcuts:
            group.add_argument(
                short,
                dest=name,
                action="store_const",
                const=meaning,
                default=argparse.SUPPRESS,
                help=f"the same as {known.flags[0] if known.flags else flag} {meaning}",
            )


def read_settings(
    options: argparse.Namespace,
    cls: type[SettingsClass],
    *,
    base: Mapping[str, Any] | None = None,
    **changes: Any,
) -> SettingsClass:
    """The settings that the options of a command line ask for.

    Args:
        base: values of settings that are not given.
        changes: values of settings that are not options.

    Raises:
        JaxdreamError: values that do not go together.
    """
    given = {name: getattr(options, name) for name in describe(cls) if hasattr(options, name)}
    values = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
    return cls(**{**(base or {}), **values, **changes})


def whole_number(minimum: int, maximum: int, what: str) -> Callable[[str], int]:
    """A converter for an option that is no setting; ``what`` names the number in an error."""
    return partial(_converted, what, Setting("", int, minimum=minimum, maximum=maximum))


def number(minimum: float, maximum: float, what: str) -> Callable[[str], float]:
    """A converter for an option that is no setting; ``what`` names the number in an error."""
    return partial(_converted, what, Setting("", float, minimum=minimum, maximum=maximum))


def _metavar(known: Setting) -> str | tuple[str, ...] | None:
    if known.choices:
        return None
    name = known.metavar or ("N" if known.kind is int else "X")
    return ("X", "Y") if known.count == 2 else name


def _converted(name: str, known: Setting, text: str) -> Any:
    """The value that the text of an option means.

    Raises:
        argparse.ArgumentTypeError: it means none; says the range.
    """
    if known.kind is str:
        return text
    if known.unit == "bytes":
        return parse_bytes(text)
    pattern = r"[+-]?\d+" if known.kind is int else r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
    if re.fullmatch(pattern, text.strip(), re.ASCII) is None or len(text) > 400:
        raise argparse.ArgumentTypeError(f"it is {known.range_text}, not {text[:80]!r}")
    value = known.kind(text)
    try:
        check_value(name, value, replace(known, count=1))
    except JaxdreamError:
        raise argparse.ArgumentTypeError(f"it is {known.range_text}, not {text[:80]}") from None
    return value


def convert(name: str, known: Setting, text: str) -> Any:
    """The value of a setting that a text means, where it is not an option's own.

    Raises:
        JaxdreamError: it means none; says the range.
    """
    if known.kind is bool:
        if text not in ("yes", "no"):
            raise JaxdreamError(f"{name} is yes or no, not {text[:80]!r}")
        return text == "yes"
    try:
        value = _converted(name, known, text)
    except argparse.ArgumentTypeError as error:
        raise JaxdreamError(f"{name}: {error}") from None
    check_value(name, value, known)
    return value


def parse_bytes(text: str) -> int:
    """The bytes that an amount of memory such as ``2GB`` or ``500MB`` means.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)([KMGT]?)B?", text.strip().upper(), re.ASCII)
    value = float(match[1]) * 1000 ** _UNITS.index(match[2]) if match and len(text) < 40 else 0
    if not 1 <= value < 1e18:
        raise argparse.ArgumentTypeError(
            f"an amount of memory is a number with a unit, such as 2GB or 500MB, not {text[:80]}"
        )
    return int(value)
