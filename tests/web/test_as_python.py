"""Programs that make again what the page made: they are Python, and make what the commands make."""

import ast
import inspect
import re
import shlex

import hypothesis
import jax
import numpy as np
import pytest
from drawn_settings import clips, dreams, names, sources, texts, videos, visualizations, zooms
from hypothesis import given
from hypothesis import strategies as st
from video.films import film

import jaxdream as jd
from jaxdream.cli.commands import build_parser
from jaxdream.cli.targets import parse_targets
from jaxdream.objectives.text import parse_objective
from jaxdream.settings import (
    ClipSettings,
    DreamSettings,
    SourceSettings,
    VideoSettings,
    VisualizeSettings,
    ZoomSettings,
)
from jaxdream.web import as_text
from jaxdream.web.as_python import dream_python, video_python, visualize_python, zoom_python

quickly = hypothesis.settings(deadline=None, max_examples=50)
# Of dreams that take moments, by the bundled network.
TINY = DreamSettings(steps=1, octaves=1, jitter=4)
BUNDLED = {"model": "googlenet_mini"}


def calls(program):
    """The calls of jaxdream's functions in a program, by name; their arguments exist."""
    compile(program, "program", "exec")
    found = {}
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("jd."):
            name = ast.unparse(node.func).removeprefix("jd.")
            named = {word.arg: word.value for word in node.keywords}
            assert None not in named
            starred = any(isinstance(argument, ast.Starred) for argument in node.args)
            signature = inspect.signature(getattr(jd, name))
            (signature.bind_partial if starred else signature.bind)(*node.args, **named)
            found[name] = node.args, named
    return found


def values(named, *classes):
    """The settings that a call gives by name."""
    known = {name for cls in classes for name in cls().values()}
    given = {name: ast.literal_eval(node) for name, node in named.items() if name in known}
    return [cls(**{n: v for n, v in given.items() if n in cls().values()}) for cls in classes]


def check_source(found, input_name, dream, source):
    """Make sure that a program reads or makes the picture that is meant, and its mask."""
    if source.begin is None:
        (path,), named = found["read_picture"]
        assert ast.literal_eval(path) == input_name
    else:
        (seed,), named = found["noise_picture"]
        assert ast.literal_eval(seed) == source.seed
        assert ("sphere" in named) == (dream.seamless == "sphere")
    assert ("size" in named) == (source.size is not None)
    assert ("make_seamless" in found) == (source.make_tile and dream.seamless is not None)
    assert ("read_mask" in found) == (source.mask is not None)
    if source.mask is not None:
        (path, _), named = found["read_mask"]
        given = {name: ast.literal_eval(node) for name, node in named.items()}
        assert ast.literal_eval(path) == source.mask
        assert given.get("invert", False) == source.mask_invert
        assert given.get("feather", 0) == source.mask_feather


@quickly
@given(names, texts, dreams, sources, names, names)
def test_a_dreams_program_says_what_was_meant(name, objective, dream, source, model, output):
    dream, source = DreamSettings(**dream), SourceSettings(**source)
    found = calls(dream_python(name, objective, dream, source, model=model, output=output))
    check_source(found, name, dream, source)
    (seed, *_), named = found["dream"]
    assert ast.literal_eval(seed) == source.seed
    assert values(named, DreamSettings) == [dream]
    assert ast.literal_eval(found["load_model"][0][0]) == model
    assert ast.literal_eval(found["write_image"][0][0]) == output


@quickly
@given(names, texts, dreams, sources, zooms, st.floats(0.01, 240))
def test_a_zooms_program_says_what_was_meant(name, objective, dream, source, zoom, fps):
    dream, source, zoom = DreamSettings(**dream), SourceSettings(**source), ZoomSettings(**zoom)
    program = zoom_python(
        name, objective, dream, source, zoom=zoom, fps=fps, output="z.mp4", **BUNDLED
    )
    found = calls(program)
    check_source(found, name, dream, source)
    assert values(found["iterate_zoom"][1], ZoomSettings, DreamSettings) == [zoom, dream]
    assert ast.literal_eval(found["write_animation"][1]["fps"]) == fps


@quickly
@given(names, texts, dreams, sources, videos, clips)
def test_a_videos_program_says_what_was_meant(name, objective, dream, source, video, clip):
    dream, source = DreamSettings(**dream), SourceSettings(**source)
    video, clip = VideoSettings(**video), ClipSettings(**clip)
    program = video_python(
        name, objective, dream, source, video=video, clip=clip, output="v.mp4", **BUNDLED
    )
    found = calls(program)
    assert values(found["iterate_video"][1], VideoSettings, DreamSettings) == [video, dream]
    assert values(found["ClipSettings"][1], ClipSettings) == [clip]
    assert ("masks" in found["iterate_video"][1]) == (source.mask is not None)
    limited = clip.end is not None or clip.max_frames is not None
    assert ("end" in found["write_video"][1]) == ("end" in found["own_sound"][1]) == limited


@quickly
@given(texts, visualizations, sources)
def test_what_shows_an_objective_says_what_was_meant(objective, visualization, source):
    settings, source = VisualizeSettings(**visualization), SourceSettings(**source)
    what = ["--objective", objective]
    (seed, _, shown), named = calls(
        visualize_python(what, settings, source, output="v.png", **BUNDLED)
    )["visualize"]
    assert values(named, VisualizeSettings) == [settings]
    assert ast.literal_eval(seed) == source.seed
    assert ast.literal_eval(shown) == objective


@pytest.fixture(scope="module")
def bundled():
    return jd.load_model("googlenet_mini")


def short(text):
    """A text with short names of layers: the command's objectives have the whole ones."""
    return re.sub(r"inception_(..)/output", r"\1", text)


@pytest.mark.parametrize(
    "what",
    [
        "--class banana",
        "--class 'maillot, tank suit' n07753592 954 \"jack-o'-lantern\"",
        "--layer 4c",
        "--layer 4c inception_3b/output",
        "--layer 3b 4c --channel 3",
        "--layer 4c --channels 0-2,7,2",
        "--layer 4c --neuron 12 7@0.25,.5",
        "--layer 4c --direction v.npy",
        "--objective '0.5*3b + 4c:12'",
    ],
)
def test_the_objectives_are_those_of_the_command(bundled, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    np.save("v.npy", np.arange(bundled.graph.channels["inception_4c/output"], dtype=np.float32))
    settings = VisualizeSettings(), SourceSettings()
    words = shlex.split(what)
    command = as_text.visualize_command(words, *settings, output="v", **BUNDLED)
    targets = parse_targets(build_parser().parse_args(shlex.split(command)[1:]))
    (_, _, shown), _ = calls(visualize_python(words, *settings, output="v", **BUNDLED))["visualize"]
    shown = ast.literal_eval(shown)
    texts = [shown] if isinstance(shown, str) else shown
    for text, target in zip(texts, targets, strict=True):
        found, wanted = parse_objective(text, bundled), target.objective(bundled)
        assert short(repr(found)) == short(repr(wanted))
        for leaf, other in zip(*map(jax.tree.leaves, (found, wanted)), strict=True):
            np.testing.assert_array_equal(leaf, other)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("--class banana orange --grid", "--grid has no place in a program: leave it out"),
        ("--count 3", "say what to show by one of --class, --layer and --objective"),
        ("--layer 4c --channel 3-", "channels '3-': give numbers, as in 12 or 0-15 or 3,7"),
    ],
)
def test_what_no_program_shows_is_refused(what, says):
    with pytest.raises(jd.JaxdreamError, match=says):
        visualize_python(
            shlex.split(what), VisualizeSettings(), SourceSettings(), output="v", **BUNDLED
        )


def test_a_program_is_short():
    settings = DreamSettings(steps=20, step_size=0.7), SourceSettings(seed=3, size="640")
    assert dream_python("it's.jpg", "4c", *settings, output="b.png", model="googlenet") == (
        "import jaxdream as jd\n"
        "\n"
        'model = jd.load_model("googlenet")\n'
        'picture = jd.read_picture("it\'s.jpg", size="640")\n'
        'dreamed = jd.dream(3, model, picture.pixels, "4c", steps=20, step_size=0.7)\n'
        'jd.write_image("b.png", dreamed, alpha=picture.alpha)\n'
    )


def test_a_program_dreams(tiny, tmp_path, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jd, "load_model", lambda name: {"tiny": tiny}[name])
    alpha = np.zeros(picture.shape[:2])
    alpha[:12] = 255
    jd.write_image("a.png", picture, alpha=alpha)
    settings, source = TINY.replace(steps=2), SourceSettings(seed=3, size="20", mask="alpha")
    exec(dream_python("a.png", "first", settings, source, model="tiny", output="b.png"), {})
    made, small = jd.read_picture("b.png"), jd.read_picture("a.png", size=20)
    mask = small.alpha.astype(np.float32) / 255
    dreamed = jd.dream(3, tiny, small.pixels, "first", settings=settings, mask=mask)
    np.testing.assert_array_equal(made.pixels, np.round(np.asarray(dreamed).clip(0, 255)))
    np.testing.assert_array_equal(made.alpha, small.alpha)


@pytest.mark.parametrize(
    ("repeats", "shown"),
    [({}, [0, 1, 2, 3]), ({"ping_pong": True}, [0, 1, 2, 3, 2, 1]), ({"loop": 1}, [None, 1, 2])],
)
def test_a_program_makes_a_film_that_repeats(tiny, tmp_path, monkeypatch, picture, repeats, shown):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jd, "load_model", lambda _: tiny)
    written = []
    monkeypatch.setattr(jd, "write_animation", lambda _, frames, **__: written.extend(frames))
    jd.write_image("a.png", picture)
    arguments = ("a.png", "first", TINY, SourceSettings())
    options = {"zoom": ZoomSettings(frames=4), "fps": 25, "model": "tiny", "output": "z.mp4"}
    exec(zoom_python(*arguments, **options), {})
    frames = list(map(np.asarray, written))
    written.clear()
    exec(zoom_python(*arguments, **options, **repeats), {})
    for number, found in zip(shown, written, strict=True):
        wanted = (frames[3] + frames[0]) / 2 if number is None else frames[number]
        image = found.image() if isinstance(found, jd.FadedFrame) else found
        np.testing.assert_allclose(image, wanted, rtol=1e-5)


def test_a_sheet_of_several_pictures_is_one_picture():
    what = ["--layer", "4c", "--channels", "3-4"]
    settings = VisualizeSettings(), SourceSettings()
    found = calls(visualize_python(what, *settings, labels=["3", "4"], output="v.png", **BUNDLED))
    (_, labels), _ = found["contact_sheet"]
    assert ast.literal_eval(labels) == ["3", "4"]
    assert ast.literal_eval(found["write_image"][0][0]) == "v.png"


@pytest.fixture
def both(run, tmp_path, monkeypatch, photo):
    """Runs a command, and the program that makes the same; gives what each has written."""
    (tmp_path / "program").mkdir()
    small = jd.read_image(photo)[:48, :64]
    alpha = np.full((48, 64), 255)
    alpha[8:30, 10:50] = 90
    places = tmp_path, tmp_path / "program"
    for place in places:
        jd.write_image(place / "a.png", small, alpha=alpha)
        jd.write_image(place / "guide.png", jd.read_image(photo, size=80))
        film(place / "walk.mp4", sounds=["aac"])

    def both(command, program, output):
        run(*shlex.split(command)[1:])
        monkeypatch.chdir(tmp_path / "program")
        exec(compile(program, "program", "exec"), {})
        return [place / output for place in places]

    return both


def check_equal(command, program):
    """Make sure that two files are the same picture, or folders of the same."""
    if command.is_dir():
        pairs = list(zip(sorted(command.iterdir()), sorted(program.iterdir()), strict=True))
    else:
        pairs = [(command, program)]
    for pair in pairs:
        one, other = map(jd.read_picture, pair)
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_equal(one.alpha, other.alpha)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "dream", "source"),
    [
        ("", {"strength": 0.5}, {"mask": "alpha", "mask_invert": True, "mask_feather": 1.5}),
        ("conv2/3x3:12", {"step_size": -0.7}, {"mask": "guide.png", "size": "56"}),
        ("0.5*3a + conv2/3x3", {"seamless": "both"}, {"make_tile": True, "size": "60x48"}),
        ("conv2/3x3", {}, {"begin": "noise", "size": "48x40", "seed": 5}),
        ('guide("guide.png", conv2/3x3)', {}, {"guide_size": 40}),
    ],
)
def test_a_dreams_program_makes_what_the_command_makes(both, objective, dream, source):
    settings = TINY.replace(**dream), SourceSettings(**source)
    arguments = ("a.png", objective, *settings)
    options = {"output": "b.png", **BUNDLED}
    written = both(
        as_text.dream_command(*arguments, **options), dream_python(*arguments, **options), "b.png"
    )
    check_equal(*written)
    assert np.abs(jd.read_image(written[0]) - 128).mean() > 1


@pytest.mark.slow
def test_a_zooms_program_makes_what_the_command_makes(both):
    arguments = ("a.png", "conv2/3x3", TINY, SourceSettings(size="48", mask="alpha"))
    zoom = ZoomSettings(frames=3, zoom=0.1, shift=(1.5, -2.0))
    options = {"zoom": zoom, "fps": 12, "output": "z.mp4", **BUNDLED}
    command, program = (
        as_text.zoom_command(*arguments, **options),
        zoom_python(*arguments, **options),
    )
    one, other = both(command, program, "z.mp4")
    assert frames_of(one) == frames_of(other)
    assert len(frames_of(one)) == 3


def frames_of(path):
    """The frames of a film with their times, as bytes."""
    with jd.open_video(path) as reader:
        return [(frame.time, frame.pixels.tobytes()) for frame in reader.frames()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clip", "source"),
    [
        ({}, {"mask": "guide.png", "mask_feather": 2.0}),
        ({"start": 0.08, "end": 0.3, "every": 2}, {"size": "56"}),
        ({"max_frames": 3}, {"size": "48x40"}),
    ],
)
def test_a_videos_program_makes_what_the_command_makes(both, clip, source):
    arguments = ("walk.mp4", "conv2/3x3", TINY.replace(steps=2), SourceSettings(**source))
    options = {"video": VideoSettings(frame_steps=1), "clip": ClipSettings(**clip)}
    options |= {"output": "v.mp4", **BUNDLED}
    command, program = (
        as_text.video_command(*arguments, **options),
        video_python(*arguments, **options),
    )
    one, other = both(command, program, "v.mp4")
    assert frames_of(one) == frames_of(other)
    lengths = [float(jd_info(path).seconds) for path in (one, other)]
    assert lengths[0] == pytest.approx(lengths[1], abs=0.03)
    assert jd_info(one).sounds == jd_info(other).sounds == 1


def jd_info(path):
    with jd.open_video(path) as reader:
        return reader.info


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "output"),
    [
        ("--layer conv2/3x3 --channel 3", "v.png"),
        ("--objective -conv2/3x3:1 --count 2", "v"),
    ],
)
def test_what_shows_a_channel_makes_what_the_command_makes(both, what, output):
    arguments = (
        shlex.split(what),
        VisualizeSettings(steps=2),
        SourceSettings(size="56x48", seed=2),
    )
    options = {"output": output, **BUNDLED}
    command, program = (
        as_text.visualize_command(*arguments, **options),
        visualize_python(*arguments, **options),
    )
    check_equal(*both(command, program, output))
