"""Commands that make again what the page made: the real parser reads what was meant."""

import os
import re
import shlex
import subprocess
import sys

import hypothesis
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from drawn_settings import (
    clips,
    dreams,
    names,
    settings_of,
    sources,
    texts,
    videos,
    visualizations,
    zooms,
)
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError
from jaxdream.cli.commands import build_parser
from jaxdream.cli.objective_options import dream_settings, objective_text
from jaxdream.cli.options import Parser, add_settings, read_settings
from jaxdream.cli.session import input_names
from jaxdream.settings import (
    ClipSettings,
    Compute,
    DreamSettings,
    SourceSettings,
    VideoSettings,
    VisualizeSettings,
    ZoomSettings,
    describe,
)
from jaxdream.visualization.transforms import RandomTransforms
from jaxdream.web.as_text import (
    dream_command,
    option_words,
    video_command,
    visualize_command,
    zoom_command,
)

PARSER = build_parser()
quickly = hypothesis.settings(deadline=None, max_examples=50)


def parsed(command):
    """What the command line reads from a command, as ``cli.main`` does."""
    program, *arguments = shlex.split(command)
    assert program == "jaxdream"
    assert not any(re.fullmatch(r"--[\w-]+=--", argument) for argument in arguments)
    options, unknown = PARSER.parse_known_args(arguments)
    assert unknown == []
    return options


def check_common(options, objective, settings, model, output):
    assert objective_text(options, "default") == (objective if objective.strip() else "default")
    assert dream_settings(options) == settings
    assert options.model == model
    assert os.path.normpath(options.output) == os.path.normpath(output)


def same_file(name, other):
    return os.path.normpath(name) == os.path.normpath(other)


def check_begins(inputs, input_name, source):
    (begins,) = input_names(inputs, source)
    assert begins == source.begin or same_file(begins, input_name)


@quickly
@given(names, texts, dreams, sources, names, names)
def test_a_dreams_command_is_read_as_it_was_meant(name, objective, dream, source, model, output):
    settings, source = DreamSettings(**dream), SourceSettings(**source)
    options = parsed(dream_command(name, objective, settings, source, model=model, output=output))
    check_common(options, objective, settings, model, output)
    assert read_settings(options, SourceSettings) == source
    check_begins(options.inputs, name, source)


@quickly
@given(names, texts, dreams, sources, zooms, st.floats(0.01, 240))
def test_a_zooms_command_is_read_as_it_was_meant(name, objective, dream, source, zoom, fps):
    settings, source, zoom = DreamSettings(**dream), SourceSettings(**source), ZoomSettings(**zoom)
    options = parsed(
        zoom_command(
            name, objective, settings, source, zoom=zoom, fps=fps, model="googlenet", output="z.mp4"
        )
    )
    check_common(options, objective, settings, "googlenet", "z.mp4")
    assert read_settings(options, SourceSettings) == source
    assert read_settings(options, ZoomSettings) == zoom
    assert options.fps == fps
    check_begins([] if options.input is None else [options.input], name, source)


@pytest.mark.parametrize(
    ("repeats", "read"),
    [({}, (False, None)), ({"ping_pong": True}, (True, None)), ({"loop": 3}, (False, 3))],
)
def test_a_zoom_can_repeat(repeats, read):
    options = parsed(
        zoom_command(
            "a.png", "4c", DreamSettings(), SourceSettings(), zoom=ZoomSettings(), fps=25,
            model="m", output="z.mp4", **repeats,
        )
    )  # fmt: skip
    assert (options.ping_pong, options.loop) == read


@quickly
@given(names, texts, dreams, sources, videos, clips)
def test_a_videos_command_is_read_as_it_was_meant(name, objective, dream, source, video, clip):
    settings, source = DreamSettings(**dream), SourceSettings(**source)
    video, clip = VideoSettings(**video), ClipSettings(**clip)
    options = parsed(
        video_command(
            name, objective, settings, source, video=video, clip=clip, model="m", output="v.mp4"
        )
    )
    check_common(options, objective, settings, "m", "v.mp4")
    assert read_settings(options, SourceSettings) == source.replace(begin=None, make_tile=False)
    assert read_settings(options, VideoSettings) == video
    assert read_settings(options, ClipSettings) == clip
    assert same_file(options.input, name)


@quickly
@given(texts, visualizations, sources)
def test_what_shows_an_objective_is_read_as_it_was_meant(objective, visualization, source):
    settings, source = VisualizeSettings(**visualization), SourceSettings(**source)
    what = ["--objective", objective]
    options = parsed(visualize_command(what, settings, source, model="m", output="v.png"))
    assert (options.objective, options.model, options.output) == (objective, "m", "v.png")
    assert read_settings(options, VisualizeSettings) == settings
    assert read_settings(options, SourceSettings) == SourceSettings(
        seed=source.seed, size=source.size
    )


def test_what_to_show_can_have_several_words():
    what = ["--layer", "4c", "3b", "--channels", "0-3", "-n", "2"]
    settings = VisualizeSettings(), SourceSettings()
    options = parsed(visualize_command(what, *settings, model="m", output="v.png"))
    assert (options.layers, options.channels, options.count) == (["4c", "3b"], "0-3", 2)
    with pytest.raises(JaxdreamError, match="'banana' is no option: begin with one such as"):
        visualize_command(["banana"], *settings, model="m", output="v.png")


@quickly
@given(settings_of(Compute, memory=st.none() | st.integers(1, 2**53), shapes=st.none()))
def test_the_machines_settings_are_read_as_they_were_meant(values):
    compute = Compute(**values)
    parser = Parser(prog="jaxdream")
    add_settings(parser, Compute)
    words = option_words(compute, without=["scan"])
    assert read_settings(parser.parse_args(words), Compute) == compute.replace(scan=None)


def test_what_is_as_by_default_is_not_said():
    settings = DreamSettings(), SourceSettings()
    command = dream_command("sky.jpg", "", *settings, model="googlenet", output="a b.png")
    assert command == "jaxdream dream sky.jpg -o 'a b.png' --model googlenet"
    for cls in (ZoomSettings, VideoSettings, ClipSettings, VisualizeSettings, Compute):
        assert option_words(cls()) == []


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("4c", "--layer 4c"),
        ("inception_3b/5x5_reduce", "--layer inception_3b/5x5_reduce"),
        ("4c:12", "--objective 4c:12"),
        ("0.5*3b + 4c", "--objective '0.5*3b + 4c'"),
        ("-4c", "--objective=-4c"),
        ('guide("it\'s.png", 4c)', "--objective 'guide(\"it'\"'\"'s.png\", 4c)'"),
    ],
)
def test_a_layer_alone_is_said_as_one(objective, words):
    settings = DreamSettings(steps=20, step_size=0.7), SourceSettings(seed=3)
    command = dream_command("a.png", objective, *settings, model="m", output="b.png")
    assert command == (
        f"jaxdream dream a.png -o b.png {words} --steps 20 --step-size 0.7 --seed 3 --model m"
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (DreamSettings(clip=False, keep_colours=True), "--no-clip --keep-colours"),
        (DreamSettings(step_size=jnp.float32(0.5)), "--step-size 0.5"),
        (DreamSettings(step_size=np.float64(2.0)), "--step-size 2"),
        (DreamSettings(step_size=-1e-5), "--step-size=-0.00001"),
        (DreamSettings(seamless="sphere"), "--seamless sphere"),
        (ZoomSettings(shift=(-2e-7, 3)), "--shift -0.0000002 3"),
        (VisualizeSettings(transforms=False), "--no-transforms"),
    ],
)
def test_values_are_written_as_one_types_them(settings, words):
    assert option_words(settings) == words.split()
    assert option_words(settings, without=list(describe(type(settings)))) == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (DreamSettings(optimizer=optax.adam(0.5)), "optimizer is an object of type Gradient"),
        (DreamSettings(step_size=jnp.ones(3)), "step_size is an object of type ArrayImpl"),
        (
            VisualizeSettings(transforms=RandomTransforms()),
            "transforms is an object of type Random",
        ),
        (Compute(scan=True), "scan is no option of a command: leave it out"),
    ],
)
def test_what_no_command_can_say_is_refused(settings, says):
    with pytest.raises(JaxdreamError, match=says):
        option_words(settings)


def test_a_dream_of_nothing_is_refused():
    with pytest.raises(JaxdreamError, match="name a picture, or begin from noise"):
        dream_command(None, "4c", DreamSettings(), SourceSettings(), model="m", output="a.png")


def test_neither_jax_nor_gradio_is_imported():
    code = (
        "import sys, jaxdream.web.as_text, jaxdream.web.as_python; "
        "print({'jax', 'numpy', 'gradio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
