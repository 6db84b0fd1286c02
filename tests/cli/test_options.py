"""Options made from settings: their values, their help, and the errors of wrong values."""

import argparse

import pytest

from jaxdream.cli.options import Parser, add_settings, parse_bytes, read_settings
from jaxdream.settings import Compute, DreamSettings, Settings, VisualizeSettings, setting

WHOLE = "it is a whole number from"
# Arguments of `jaxdream dream photo.png` except where they name another command.
WRONG = {
    "--seed ten": f"argument --seed: {WHOLE} 0 to 4,294,967,295, not 'ten'",
    "--seed -1": f"argument --seed: {WHOLE} 0 to 4,294,967,295, not -1",
    "--seed 4294967296": f"argument --seed: {WHOLE} 0 to 4,294,967,295, not 4294967296",
    "--steps 0": f"argument --steps: {WHOLE} 1 to 1,000,000, not 0",
    "--steps 1.5": f"argument --steps: {WHOLE} 1 to 1,000,000, not '1.5'",
    "--steps 1_0": f"argument --steps: {WHOLE} 1 to 1,000,000, not '1_0'",
    "--steps \N{ARABIC-INDIC DIGIT THREE}": "not '\N{ARABIC-INDIC DIGIT THREE}'",
    "--steps 10000000000": f"argument --steps: {WHOLE} 1 to 1,000,000, not 10000000000",
    "--octaves 0": f"argument --octaves: {WHOLE} 1 to 100, not 0",
    "--octaves 1000000000": f"argument --octaves: {WHOLE} 1 to 100, not 1000000000",
    "--octave-scale 1": "argument --octave-scale: it is a number over 1, at most 1,000, not 1",
    "--octave-scale nan": "argument --octave-scale: it is a number over 1, at most 1,000",
    "--jitter -3": f"argument --jitter: {WHOLE} 0 to 1,000,000, not -3",
    "--jitter 2147483648": f"argument --jitter: {WHOLE} 0 to 1,000,000, not 2147483648",
    "--step-size 1e99": "argument --step-size: it is a number from -1,000,000 to 1,000,000",
    "--step-size nan": "not 'nan'",
    "--step-size inf": "not 'inf'",
    "--smooth -1": "argument --smooth: it is a number from 0 to 100, not -1",
    "--laplacian 17": f"argument --laplacian: {WHOLE} 0 to 16, not 17",
    "--guide-size x": f"argument --guide-size: {WHOLE} 1 to 1,000,000, not 'x'",
    "--guide-size 0": f"argument --guide-size: {WHOLE} 1 to 1,000,000, not 0",
    "--guide-weight nan": "argument --guide-weight: it is a number from -1,000,000",
    "--memory plenty": "such as 2GB or 500MB, not plenty",
    "--memory 0": "such as 2GB or 500MB, not 0",
    "--precision half": "argument --precision: invalid choice: 'half'",
    "--shard columns": "argument --shard: invalid choice: 'columns'",
    "--device abacus": "argument --device: invalid choice: 'abacus'",
    "--steps": "argument --steps: expected one argument",
    "--steps=--": "argument --steps: expected a value, not '--'",
    "--layer=--": "argument --layer: expected a value, not '--'",
    "--iterations 20": "unknown argument --iterations 20; did you mean --steps?",
    "--octave_n 3": "unknown argument --octave_n 3; did you mean --octaves?",
    "--blur=1": "unknown argument --blur=1; did you mean --smooth?",
    "--step-sise 2": "unknown argument --step-sise 2; did you mean --step-size?",
    "--nonsense": "unknown argument --nonsense (see `jaxdream dream --help`)",
    "--octave 3": "ambiguous option: --octave could match --octaves, --octave-scale",
    "batch in -o out --batch ten": f"argument --batch: {WHOLE} 1 to 1,000,000, not 'ten'",
    "batch in -o out --batch 0": f"argument --batch: {WHOLE} 1 to 1,000,000, not 0",
    "zoom photo.png --frames 0": f"argument --frames: {WHOLE} 1 to 1,000,000, not 0",
    "zoom photo.png --frames 1000000000": f"argument --frames: {WHOLE} 1 to 1,000,000",
    "zoom photo.png --zoom 1": "argument --zoom: it is a number from -0.99 to 0.99, not 1",
    "zoom photo.png --rotate 1e99": "argument --rotate: it is a number from -10,000 to 10,000",
    "zoom photo.png --shift 1": "argument --shift: expected 2 arguments",
    "zoom photo.png --shift 1 1e99": "argument --shift: it is a number from -100,000 to 100,000",
    "zoom photo.png --easing inn": "argument --easing: invalid choice: 'inn'",
    "zoom photo.png --fps 0": "argument --fps: it is a number from 0.01 to 240, not 0",
    "visualize --class banana -n 1000000000": f"{WHOLE} 1 to 10,000, not 1000000000",
    "visualize --class banana --step-size 1": "did you mean --learning-rate?",
    "filters --scale 1000000000": f"argument --scale: {WHOLE} 1 to 100, not 1000000000",
    "filters --columns 0": f"argument --columns: {WHOLE} 1 to 10,000, not 0",
    "layers --steps 3": "unknown argument --steps 3 (see `jaxdream layers --help`)",
    "models --weights x": "unknown argument --weights x (see `jaxdream models --help`)",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_value_is_one_line(refused, arguments):
    command = f"dream photo.png {arguments}" if arguments[0] == "-" else arguments
    line = refused(command)
    assert WRONG[arguments] in line
    assert f"see `jaxdream {command.split()[0]} --help`" in line


class Own(Settings):
    title = "my own"

    count: int = setting(default=3, help="how many, 50% or so", minimum=1)
    pair: tuple[float, float] = setting(default=(0.0, 1.0), help="two", kind=float, count=2)
    round: bool = setting(default=True, help="round it")
    name: str | None = setting(default=None, help="its name", choices=("a", "b"))
    hidden: int = setting(default=1, help="not an option", option=False)


def own_parser():
    parser = Parser(prog="own")
    add_settings(parser, Own)
    return parser


def test_settings_are_read_from_options():
    read = read_settings(own_parser().parse_args([]), Own)
    assert read == Own()
    given = ["--count", "+7", "--pair", "-1", ".5e1", "--no-round", "--name", "b"]
    read = read_settings(own_parser().parse_args(given), Own, hidden=2)
    assert read == Own(count=7, pair=(-1.0, 5.0), round=False, name="b", hidden=2)


def test_every_setting_is_in_the_help_with_its_default():
    text = " ".join(own_parser().format_help().split())
    assert "my own: " in text
    for line in (
        "--count N how many, 50% or so (default: 3)",
        "--pair X Y two (default: ",
        "--no-round do not round it",
        "--name {a,b} its name (default: ",
    ):
        assert line in text
    assert "hidden" not in text


def test_a_command_has_its_own_defaults_and_leaves_settings_out():
    parser = Parser(prog="own")
    add_settings(parser, Own, without=("pair",), defaults={"count": 9}, help={"count": "so many"})
    assert read_settings(parser.parse_args([]), Own) == Own(count=9)
    text = " ".join(parser.format_help().split())
    assert "so many (default: 9)" in text
    assert "--pair" not in text


@pytest.mark.parametrize("cls", [DreamSettings, Compute, VisualizeSettings])
def test_without_options_settings_have_their_defaults(cls):
    parser = Parser(prog="own")
    add_settings(parser, cls)
    assert read_settings(parser.parse_args([]), cls) == cls()


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("500MB", 5 * 10**8), ("1.5k", 1500), (".5T", 5 * 10**11), ("70", 70)],
)
def test_amounts_of_memory(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e9", "2XB", "0.0001", "9" * 30, "1 GB 2"])
def test_no_amounts_of_memory(text):
    with pytest.raises(argparse.ArgumentTypeError, match="such as 2GB"):
        parse_bytes(text)
