"""What the page makes, as the command that makes it again; ``as_python`` has the program.

A command names every setting that is not as by default, so it depends on no look. Nothing here
imports Gradio, JAX or NumPy.
"""

import dataclasses
import re
import shlex
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.settings import (
    ClipSettings,
    DreamSettings,
    Setting,
    Settings,
    SourceSettings,
    VideoSettings,
    VisualizeSettings,
    ZoomSettings,
    default,
    describe,
    option_name,
)

_LAYER = re.compile(r"\w+(?:[/.]\w+)*", re.ASCII)  # a name, as ``objectives.tokens`` has it
# What the commands ``video`` and ``visualize`` have no options for.
_NOT_OF_VIDEO = ("begin", "make_tile")
_NOT_OF_VISUALIZE = ("begin", "guide_size", "make_tile", "mask", "mask_invert", "mask_feather")


def option_words(settings: Settings, *, without: Sequence[str] = ()) -> list[str]:
    """The words of a command line that make these settings out of their class's defaults.

    Args:
        without: settings to leave out.

    Raises:
        JaxdreamError: a setting is an object, or one that no option has.
    """
    words = []
    for name, known, value in given_settings(settings, without):
        flag = option_name(type(settings), name)
        if not known.option:
            raise JaxdreamError(f"{name} is no option of a command: leave it out")
        if known.kind is bool:
            words.append(flag)
        elif known.count > 1:
            words += [flag, *map(word, value)]
        else:
            words += _option(flag, word(value))
    return words


def given_settings(
    settings: Settings, without: Sequence[str] = ()
) -> Iterator[tuple[str, Setting, Any]]:
    """The settings that are not as by default: name, what is known of it, value.

    A value is a bool, an int, a float, a text, or a tuple of these.

    Args:
        without: settings to leave out.

    Raises:
        JaxdreamError: a setting is an object.
    """
    for name, known in describe(type(settings)).items():
        if name not in without:
            value = _plain(name, getattr(settings, name), known)
            if value != default(type(settings), name):
                yield name, known, value


def word(value: str | int | float) -> str:
    """A value as a word of a command line, which means exactly the same."""
    if isinstance(value, str):
        return value
    # Without an exponent: of two negative numbers after an option, argparse would not know one.
    return format(Decimal(str(value)), "f").removesuffix(".0")


def dream_command(
    input_name: str | None,
    objective: str,
    settings: DreamSettings,
    source: SourceSettings,
    *,
    model: str,
    output: str,
) -> str:
    """The command that dreams a picture, as one line for a shell.

    Args:
        input_name: the picture; not used where the dream begins from noise.
        objective: as text; if empty, the network's default layer.
        model: the name of the network.
        output: the picture to write.

    Raises:
        JaxdreamError: as ``option_words``, or there is nothing to begin from.
    """
    words = [*_objective_words(objective), *option_words(settings), *option_words(source)]
    return _command("dream", inputs(input_name, source), output, words, model)


def zoom_command(
    input_name: str | None,
    objective: str,
    settings: DreamSettings,
    source: SourceSettings,
    *,
    zoom: ZoomSettings,
    fps: float | int,
    model: str,
    output: str,
    ping_pong: bool = False,
    loop: int | None = None,
) -> str:
    """The command that dreams a zoom; what is not said here is as of ``dream_command``.

    Args:
        fps: frames a second.
        output: the film to write: a .mp4, .webp or .gif.
        ping_pong: whether the frames are shown forwards and then backwards.
        loop: how many of the last frames fade into the first.
    """
    words = [*option_words(zoom), "--fps", word(fps)]
    words += ["--ping-pong"] * ping_pong + ([] if loop is None else ["--loop", word(loop)])
    words += _objective_words(objective)
    words += [*option_words(settings), *option_words(source)]
    return _command("zoom", inputs(input_name, source), output, words, model)


def video_command(
    input_name: str,
    objective: str,
    settings: DreamSettings,
    source: SourceSettings,
    *,
    video: VideoSettings,
    clip: ClipSettings,
    model: str,
    output: str,
) -> str:
    """The command that dreams a video; what is not said here is as of ``dream_command``.

    Args:
        input_name: the video.
        output: the film to write: a .mp4, .mov, .mkv or .m4v.
    """
    words = [*option_words(video), *option_words(clip), *_objective_words(objective)]
    words += [*option_words(settings), *option_words(source, without=_NOT_OF_VIDEO)]
    return _command("video", [input_name], output, words, model)


def visualize_command(
    what: Sequence[str],
    settings: VisualizeSettings,
    source: SourceSettings,
    *,
    model: str,
    output: str,
) -> str:
    """The command that shows what a class, a channel or something else looks like.

    Args:
        what: what to show, in words of the command: ``["--class", "banana"]``.
        source: of which the seed and the size are used.
        model: the name of the network.
        output: the picture to write, or the folder of several.

    Raises:
        JaxdreamError: as ``option_words``, or ``what`` does not begin with an option.
    """
    words = []
    for flag, values in options(what):
        words += _option(flag, values[0]) if len(values) == 1 else [flag, *values]
    words += [*option_words(settings), *option_words(source, without=_NOT_OF_VISUALIZE)]
    return _command("visualize", [], output, words, model)


def inputs(input_name: str | None, source: SourceSettings) -> list[str]:
    """The picture that is dreamed; none where it begins from noise.

    Raises:
        JaxdreamError: there is neither.
    """
    if source.begin is not None:
        return []
    if input_name is None:
        raise JaxdreamError("there is nothing to begin from: name a picture, or begin from noise")
    return [input_name]


def options(what: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Words of a command as its options, each with its values.

    Raises:
        JaxdreamError: the first word is no option.
    """
    found: list[tuple[str, list[str]]] = []
    for each in what:
        # An objective can begin with a minus sign.
        if re.fullmatch(r"-n|--[a-z]+", each) and (not found or found[-1] != ("--objective", [])):
            found.append((each, []))
        elif found:
            found[-1][1].append(each)
        else:
            raise JaxdreamError(f"{each!r} is no option: begin with one such as --class")
    return found


def _plain(name: str, value: Any, known: Setting) -> Any:
    if value is None:
        return None
    if known.count > 1:
        one = dataclasses.replace(known, count=1)
        return tuple(_plain(name, part, one) for part in value)
    if known.kind in (int, float):
        try:
            return known.kind(value)  # of a number of NumPy, or in an array of one
        except (TypeError, ValueError):
            pass
    elif isinstance(value, known.kind):
        return value
    raise JaxdreamError(
        f"{name} is an object of type {type(value).__name__}, which cannot be written as text"
    )


def _option(flag: str, text: str) -> list[str]:
    """An option and its value, which may begin with a dash."""
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _objective_words(text: str) -> list[str]:
    if not text.strip():
        return []
    return _option("--layer" if _LAYER.fullmatch(text) else "--objective", text)


def _command(
    name: str, inputs: Sequence[str], output: str, words: Sequence[str], model: str
) -> str:
    files = [*map(_path, inputs), "-o", _path(output)]
    return shlex.join(["jaxdream", name, *files, *words, *_option("--model", model)])


def _path(name: str) -> str:
    """The same file by a name that is no option."""
    return f"./{name}" if name.startswith("-") else name
