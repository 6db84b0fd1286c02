"""What the page makes, as the Python program that makes it again.

The functions have the arguments of those in ``as_text``, and their errors. Nothing here imports
Gradio, JAX or NumPy.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxdream.errors import JaxdreamError
from jaxdream.settings import (
    DIVERSITY,
    SPHERE,
    VIDEO_LONGEST,
    ClipSettings,
    DreamSettings,
    Settings,
    SourceSettings,
    VideoSettings,
    VisualizeSettings,
    ZoomSettings,
)
from jaxdream.web.as_text import given_settings, inputs, options, word

_LINE = 100  # characters
# Functions whose pictures have ``guide_size``.
_GUIDE = re.compile(r"\b(guide|caricature|style)\s*\(")
# Options of the command ``visualize``.
_WHAT = {"--class", "--layer", "--objective"}
_WITHIN = {"--channel", "--neuron", "--direction"}
_SYNONYMS = {"--channels": "--channel", "-n": "--count"}
_CHANNELS = re.compile(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", re.ASCII)


def dream_python(
    input_name: str | None,
    objective: str,
    settings: DreamSettings,
    source: SourceSettings,
    *,
    model: str,
    output: str,
) -> str:
    """The program that makes the picture of ``dream_command``."""
    lines, objectives = _objective(objective, source)
    return _program(
        model,
        *_picture(input_name, settings, source),
        *lines,
        _call(
            "dreamed = jd.dream",
            *_seeded(source, "picture.pixels", *objectives, *_keywords(settings)),
            *_mask_argument(source),
        ),
        f"jd.write_image({_literal(output)}, dreamed, alpha=picture.alpha)",
    )


def zoom_python(
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
    """The program that makes the film of ``zoom_command``."""
    lines, objectives = _objective(objective, source)
    each = "state.image for state in states if state.is_finished"
    frames, shown = f"({each})", "frames"
    if ping_pong:
        frames, shown = f"[{each}]", "frames + frames[-2:0:-1]"
    elif loop is not None:
        frames, shown = f"[{each}]", f"jd.faded_loop(frames, {loop})"
    return _program(
        model,
        *_picture(input_name, settings, source),
        *lines,
        _call(
            "states = jd.iterate_zoom",
            *_seeded(source, "picture.pixels", *objectives, *_keywords(zoom, settings)),
            *_mask_argument(source),
        ),
        f"frames = {frames}",
        f"jd.write_animation({_literal(output)}, {shown}, fps={word(fps)})",
    )


def video_python(
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
    """The program that makes the film of ``video_command``, with its sound.

    A mask is a picture here, not a folder or a video.
    """
    size = f"str(min({VIDEO_LONGEST}, max(info.size)))"
    size = size if source.size is None else _literal(source.size)
    lines, objectives = _objective(objective, source)
    mask = [] if source.mask is None else [_read_mask(source, "first.pixels")]
    like = "info" if clip.every == 1 else "dataclasses.replace(info, fps=clip.fps)"
    end = _end(clip)
    inside = [
        "info = reader.info",
        f"size = jd.parse_size({size}, *info.size)",
        f"clip = jd.ClipSource(reader, jd.ClipSettings({', '.join(_keywords(clip))}), size)",
        "first = clip.first()",
        *mask,
        *lines,
        "times = []\n",
        "def frames():",
        "    for frame in clip.frames(first.time):",
        "        times.append(frame.seconds)",
        "        yield frame.pixels\n",
        _call(
            "states = jd.iterate_video",
            *_seeded(source, "frames()", *objectives, *_keywords(video, settings)),
            *(["masks=mask"] if mask else []),
        ),
        "dreams = ((state.image, times[state.number]) for state in states)",
        *([f"end = {end}"] if end else []),
        f"sound = jd.own_sound(info, start=first.time{', end=end' if end else ''})",
        _call(
            "jd.write_video", _literal(output), "dreams", f"like={like}",
            *(["end=end - first.time"] if end else []), "sound=sound",
        ),
    ]  # fmt: skip
    program = _program(
        model,
        f"with jd.open_video({_literal(input_name)}) as reader:",
        textwrap.indent("\n".join(inside), "    "),
    )
    return program if clip.every == 1 else f"import dataclasses\n\n{program}"


def visualize_python(
    what: Sequence[str],
    settings: VisualizeSettings,
    source: SourceSettings,
    *,
    model: str,
    output: str,
    labels: Sequence[str] = (),
) -> str:
    """The program that makes the pictures of ``visualize_command``; several are ``0.png``, ...

    Args:
        labels: of several pictures, which makes one sheet of them, as the option ``--grid`` does.

    Raises:
        JaxdreamError: as ``visualize_command``, or ``what`` has options for anything else than what
            to show, and how many pictures of it.
    """
    given: dict[str, list[str]] = {}
    for flag, values in options(what):
        given.setdefault(_SYNONYMS.get(flag, flag), []).extend(values)
    count = int((given.pop("--count", None) or ["1"])[0])
    texts = list(_shown(given))
    if count > 1 and settings.diversity is None:
        settings = settings.replace(diversity=DIVERSITY)
    single = len(texts) == count == 1
    shown = _literal(texts[0]) if single else f"[{', '.join(map(_literal, texts))}]"
    shown = shown if count == 1 else f"{shown} * {count}"
    size = [] if source.size is None else [f"size=jd.parse_size({_literal(source.size)}, 1, 1)"]
    arguments = _seeded(source, shown, *_keywords(settings), *size)
    if single:
        return _program(
            model,
            _call("picture = jd.visualize", *arguments),
            f"jd.write_image({_literal(output)}, picture)",
        )
    pictures = _call("pictures = jd.visualize", *arguments)
    if labels:
        names = f"[{', '.join(map(_literal, labels))}]"
        sheet = _call("sheet = jd.contact_sheet", "list(pictures)", names)
        return _program(model, pictures, sheet, f"jd.write_image({_literal(output)}, sheet)")
    program = _program(
        model,
        pictures,
        f"folder = pathlib.Path({_literal(output)})",
        "folder.mkdir(parents=True, exist_ok=True)",
        "for number, picture in enumerate(pictures):",
        '    jd.write_image(folder / f"{number}.png", picture)',
    )
    return f"import pathlib\n\n{program}"


def _program(model: str, *lines: str) -> str:
    start = ["import jaxdream as jd", "", f"model = jd.load_model({_literal(model)})"]
    return "\n".join([*start, *lines, ""])


def _call(function: str, *arguments: str) -> str:
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= _LINE:
        return line
    return "\n".join([f"{function}(", *(f"    {each}," for each in arguments), ")"])


def _seeded(source: SourceSettings, *arguments: str) -> list[str]:
    """The arguments of a function that dreams."""
    return [str(source.seed), "model", *arguments]


def _keywords(*settings: Settings) -> list[str]:
    """Settings that are not as by default, as arguments: ``steps=20``."""
    return [f"{name}={_literal(value)}" for s in settings for name, _, value in given_settings(s)]


def _literal(value: Any) -> str:
    """A value in Python, a text between double quotes where it has none."""
    text = repr(value)
    return f'"{text[1:-1]}"' if isinstance(value, str) and '"' not in text else text


def _objective(text: str, source: SourceSettings) -> tuple[list[str], list[str]]:
    """The lines that make an objective, and the argument that gives it; none by default."""
    if not text.strip():
        return [], []
    if not _GUIDE.search(text):
        return [], [_literal(text)]
    files = f"files=jd.ObjectiveFiles(guide_size={source.guide_size})"
    line = _call("objective = jd.parse_objective", _literal(text), "model", files)
    return [line], ["objective"]


def _picture(input_name: str | None, settings: DreamSettings, source: SourceSettings) -> list[str]:
    """The lines that read or make what is dreamed, and its mask."""
    size = [] if source.size is None else [f"size={_literal(source.size)}"]
    name = inputs(input_name, source)
    if name:
        lines = [_call("picture = jd.read_picture", _literal(name[0]), *size)]
    else:
        sphere = ["sphere=True"] if settings.seamless == SPHERE else []
        lines = [_call("picture = jd.noise_picture", str(source.seed), *size, *sphere)]
    if source.make_tile and settings.seamless is not None:
        lines.append(f"picture = jd.make_seamless(picture, {_literal(settings.seamless)})")
    return lines if source.mask is None else [*lines, _read_mask(source, "picture")]


def _read_mask(source: SourceSettings, picture: str) -> str:
    invert = ["invert=True"] if source.mask_invert else []
    feather = [f"feather={word(source.mask_feather)}"] if source.mask_feather else []
    return _call("mask = jd.read_mask", _literal(source.mask), picture, *invert, *feather)


def _mask_argument(source: SourceSettings) -> list[str]:
    return [] if source.mask is None else ["mask=mask"]


def _end(clip: ClipSettings) -> str:
    """The second of the video at which a clip ends; empty where that is the video's own end."""
    if clip.max_frames is not None:
        return "first.time + clip.expected / clip.fps"
    return "" if clip.end is None else "clip.end()"


def _shown(given: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What options of ``visualize`` show, as texts of objectives.

    Raises:
        JaxdreamError: there is nothing, or an option that shows nothing.
    """
    for flag in sorted(given.keys() - _WHAT - _WITHIN):
        raise JaxdreamError(f"{flag} has no place in a program: leave it out")
    if not given.keys() & _WHAT:
        raise JaxdreamError("say what to show by one of --class, --layer and --objective")
    yield from given.get("--objective", ())
    for name in given.get("--class", ()):
        yield f"class({_quoted(name)})"
    for layer in given.get("--layer", ()):
        if not given.keys() & _WITHIN:
            yield layer
        for text in given.get("--channel", ()):
            yield from (f"channel({layer}, {number})" for number in _channels(text))
        for text in given.get("--neuron", ()):
            yield f"neuron({layer}, {re.sub('[@,]', ', ', text)})"
        for name in given.get("--direction", ()):
            yield f"direction({_quoted(name)}, {layer})"


def _quoted(name: str) -> str:
    """A name as an objective's text has it."""
    return f"'{name}'" if '"' in name else f'"{name}"'


def _channels(text: str) -> Sequence[int]:
    """The channels of a list such as ``12``, ``0-15`` or ``3,7``, each once."""
    numbers: list[int] = []
    for item in text.split(","):
        match = _CHANNELS.fullmatch(item)
        if match is None:
            raise JaxdreamError(f"channels {text!r}: give numbers, as in 12 or 0-15 or 3,7")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return list(dict.fromkeys(numbers))
