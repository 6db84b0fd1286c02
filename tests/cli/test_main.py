"""The command line as a whole: bad input is one line, and how commands end."""

import io
import os
import subprocess
import sys

import pytest

from jaxdream.cli import main as main_module
from jaxdream.cli.commands import build_parser
from jaxdream.cli.main import run

MINI = "--model googlenet_mini"
REFUSED = {
    "": "the following arguments are required: COMMAND (see `jaxdream --help`)",
    "drem photo.png": "argument COMMAND: invalid choice: 'drem' (choose from 'dream', 'batch', ",
    "dream": "name a picture to dream, or give --from noise",
    "batch in": "the following arguments are required: -o/--output",
    "replay": "the following arguments are required: DREAMED",
    "replay photo.png": "photo.png has no jaxdream recipe",
    "weights": "the following arguments are required: ACTION (see `jaxdream weights --help`)",
    "weights convert": "the following arguments are required: IN, OUT",
    # Files to read.
    "dream nowhere.png": "nowhere.png: no such file",
    "dream ''": "'' is not the name of a file: name a picture",
    "dream folder": "folder is a folder: name a file in it",
    "dream empty.png": "empty.png is empty",
    "dream text.jpg": "text.jpg is not a picture of PNG, JPEG, WEBP, TIFF, BMP, GIF",
    "dream cut.png": "cut.png is damaged or cut short",
    "dream pipe.png": "pipe.png is a pipe, not a regular file",
    "dream /dev/zero": "/dev/zero is a device, not a regular file",
    "zoom pipe.png": "pipe.png is a pipe, not a regular file",
    "replay pipe.png photo.png": "pipe.png is a pipe, not a regular file",
    "visualize --class ant --from pipe.png": "pipe.png is a pipe, not a regular file",
    f"dream photo.png {MINI} --guide pipe.png": "pipe.png is a pipe, not a regular file",
    # Networks.
    "dream photo.png --model googlnet": "no model 'googlnet': did you mean googlenet?",
    "dream photo.png --model ''": "no model '': known are googlenet, ",
    "dream photo.png --model inception_v3": "no weights for inception_v3: HF_HUB_OFFLINE is set",
    "dream photo.png --model inception_v3_2015": "name the file with --weights PATH",
    "dream photo.png --weights none.onnx": "none.onnx: no such file",
    "dream photo.png --weights bad.safetensors": "bad.safetensors is a damaged safetensors file",
    "dream photo.png --weights folder": "folder is a folder: name a file in it",
    "layers --weights bad.safetensors": "bad.safetensors is a damaged safetensors file",
    # Layers and objectives.
    f"dream photo.png {MINI} --layer inception_4c/ouput": "the nearest are inception_4c/output, ",
    f"dream photo.png {MINI} --layer 4z": "no layer '4z': the nearest are inception_4",
    f"zoom photo.png {MINI} --layer 4z": "no layer '4z': the nearest are inception_4",
    f"batch in -o out {MINI} --layer 4z": "no layer '4z': the nearest are inception_4",
    "dream photo.png --layer ''": "--layer is empty: give the name of a layer",
    f"dream photo.png {MINI} --objective ''": "objective '': expected a layer name at the end",
    f"dream photo.png {MINI} --objective '2*'": "objective '2*': expected a layer name at the end",
    f"dream photo.png {MINI} --objective 4c:9999": "4c has channels 0 to 383, not 9999",
    f"dream photo.png {MINI} --optimizer adm": "no optimizer 'adm': the nearest are adam, ",
    f"batch in -o out {MINI} --optimizer adm": "no optimizer 'adm': the nearest are adam, ",
    f"dream small.png {MINI}": "the picture is 5x5 pixels and the layer needs at least 15x15",
    f"zoom small.png {MINI} -o z.gif": "the picture is 5x5 pixels",
    # Names that a terminal would not only show.
    "dream $'x\x1b]0;owned\x07.png'": "?]0;owned?.png: no such file",
    "dream 'two\nlines.png'": "two?lines.png: no such file",
    "dream na\udcefve.png": "na?ve.png: no such file",
    "dream photo.png -o 'x\x1b.xyz'": "x?.xyz: pictures are written as .png",
    "dream photo.png --weights '\x1b.onnx'": "?.onnx: no such file",
    f"dream photo.png {MINI} --guide '\x1b.png'": "?.png: no such file",
    "dream photo.png --seed '\x1b[31m'": r"not '\x1b[31m'",
    "dream photo.png '--\x1b[31m'": "unknown argument --?[31m",
    "dream photo.png --model '\x1b[31m'": r"no model '\x1b[31m'",
    f"dream photo.png {MINI} --layer '\x1b[31m'": r"'\x1b[31m'",
    "batch 'x\x1b.png' -o out": "x?.png: no such file or folder",
    "zoom photo.png -o 'x\x1b.xyz'": "x?.xyz: a zoom is written as",
}


@pytest.mark.parametrize("command", REFUSED)
def test_bad_input_is_one_line_and_writes_nothing(refused, command):
    assert REFUSED[command] in refused(command)


@pytest.mark.parametrize("ending", ["", ".png", ".gif"])
@pytest.mark.parametrize("command", ["dream photo.png", "batch in", "zoom photo.png"])
def test_too_long_a_name_is_one_line(refused, command, ending):
    line = refused([*command.split(), "-o", "x" * 256 + ending])
    assert "File name too long" in line or (command, ending) == ("zoom photo.png", ".png")


def test_without_a_connection_the_notice_comes_once_and_is_short(cli, photo):
    done = cli("dream", photo, "--layer", "4z", code=2)
    assert done.notes[0] == (
        "jaxdream: using the bundled network googlenet_mini (HF_HUB_OFFLINE is set)"
    )
    assert len(done.notes) == 2


def test_every_command_has_help(capsys):
    for command in ("dream", "batch", "replay", "zoom", "visualize", "filters", "layers", "models",
                    "classes", "weights", "weights convert", "weights use"):  # fmt: skip
        assert run([*command.split(), "--help"]) == 0
        assert f"usage: jaxdream {command} [-h]" in capsys.readouterr().out


def test_version(capsys):
    import jaxdream

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"jaxdream {jaxdream.__version__}\n"


def test_synonyms_of_other_programs_name_the_command_where_they_are(capsys):
    parser = build_parser()
    options, unknown = parser.parse_known_args(["dream", "a.png", "--iterations", "20"])
    with pytest.raises(SystemExit):
        options.parser.unknown(unknown)
    said = capsys.readouterr().err
    assert said.endswith("did you mean --steps? (see `jaxdream dream --help`)\n")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_name_is_printed_in_any_encoding(cli, photo, tmp_path, monkeypatch, encoding):
    name = os.fsdecode(b"na\xefve \xc3\xa9.png")
    photo.rename(tmp_path / name)
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding))
    quick = [
        "--model",
        "googlenet_mini",
        "--layer",
        "conv1/7x7_s2",
        "--steps",
        "1",
        "--octaves",
        "1",
    ]
    cli("dream", name, *quick)
    assert (tmp_path / os.fsdecode(b"na\xefve \xc3\xa9_dream.png")).exists()
    accent = "?" if encoding == "ascii" else "\N{LATIN SMALL LETTER E WITH ACUTE}"
    assert shown.getvalue().decode(encoding) == f"wrote na?ve {accent}_dream.png\n"


def test_ctrl_c_before_a_command_has_begun(capsys, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "_run", interrupted)
    assert run(["models"]) == 130
    assert capsys.readouterr().err == "jaxdream: interrupted\n"


@pytest.mark.parametrize("stdout", ["closed pipe", "/dev/full"])
def test_an_output_that_takes_nothing_more_is_no_traceback(environment, stdout):
    if stdout == "closed pipe":  # as of `jaxdream layers | head -1`
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(stdout, os.O_WRONLY)
    done = subprocess.run(
        [sys.executable, "-m", "jaxdream", "layers", "--model", "googlenet"],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    full = b"jaxdream: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, b"" if stdout == "closed pipe" else full)


def test_help_comes_without_jax(environment):
    code = (
        "import sys, jaxdream.cli.main\n"
        "assert jaxdream.cli.main.run(['--help']) == 0\n"
        "assert not {'jax', 'flax', 'numpy', 'PIL'} & set(sys.modules), 'slow start'"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)


def test_a_line_is_never_longer_than_a_screen(refused):
    line = refused(["dream", "photo.png", "x" * 5000])
    assert len(line) < 1100
    assert len(refused(["layers", "x" * 5000])) < 1100


def test_help_fits_into_80_columns(monkeypatch):
    from jaxdream.cli.commands import build_parser

    monkeypatch.setenv("COLUMNS", "80")
    parser = build_parser()
    for command in (parser, *parser.commands.values()):
        long = [line for line in command.format_help().splitlines() if len(line) > 80]
        assert long == [], command.prog
