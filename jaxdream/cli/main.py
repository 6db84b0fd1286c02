"""The command line: what can be asked for, and how an answer ends.

Exit codes: 0 done, 1 nobody reads the output any more, 2 bad input (one line on stderr), 3 some
pictures of many failed, 130 interrupted. The work is in ``commands``, imported only when there is
some, so that ``--help`` is immediate.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from jaxdream.errors import JaxdreamError

SOME_FAILED = 3
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"jaxdream: {message} (see `{self.prog} --help`)\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    options = _parser().parse_args(arguments)
    try:
        module, function = options.run.split(".")
        commands = importlib.import_module(f"jaxdream.cli.{module}")
        sys.exit(getattr(commands, function)(options))
    except JaxdreamError as error:
        print(f"jaxdream: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("jaxdream: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`jaxdream layers | head`); Python would complain
        # once more when it flushes at exit.
        sys.stderr.close()
        sys.exit(1)


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(
            f"a seed is a whole number from 0 to 2**32 - 1, not {text}"
        )
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"a size is a whole number of pixels, not {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"give a whole number from 1, not {text}")
    return value


def _bytes(text: str) -> int:
    number = text.upper().removesuffix("B").rstrip("KMGT")
    unit = text.upper().removesuffix("B").removeprefix(number)
    try:
        value = float(number) * 1000 ** ("", "K", "M", "G", "T").index(unit)
        if not 1 <= value < 1e18:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"an amount of memory is a number with a unit, such as 2GB or 500MB, not {text}"
        ) from None
    return int(value)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="jaxdream", description="DeepDream in JAX: the look of 2015.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_dream(commands)
    _add_batch(commands)
    _add_replay(commands)
    _add_zoom(commands)
    _add_visualize(commands)
    _add_filters(commands)

    layers = commands.add_parser("layers", help="list the layers of a network")
    layers.add_argument("--model", default="auto", help="a name from `jaxdream models`")
    layers.set_defaults(run="networks.list_layers")

    models = commands.add_parser("models", help="list the networks, their licences, what is here")
    models.set_defaults(run="networks.list_models")

    weights = commands.add_parser("weights", help="convert or verify weight files")
    actions = weights.add_subparsers(metavar="ACTION", required=True)
    convert = actions.add_parser("convert", help="turn any known weight file into safetensors")
    convert.add_argument("input", metavar="IN", help=".caffemodel, .onnx, .safetensors, .pth, .bin")
    convert.add_argument("output", metavar="OUT", help="a .safetensors file")
    convert.add_argument("--model", default="auto", help="the network it is for (default: found)")
    convert.set_defaults(run="networks.convert_weights")
    verify = actions.add_parser("verify", help="check names, shapes and values of a weight file")
    verify.add_argument("input", metavar="FILE")
    verify.add_argument("--model", default="auto", help="the network it is for (default: found)")
    verify.set_defaults(run="networks.verify_weights")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None) -> None:
        del namespace, values, option_string
        import jaxdream

        print(f"jaxdream {jaxdream.__version__}")
        parser.exit(0)


def _add_dream(commands) -> None:
    dream = commands.add_parser("dream", help="dream pictures")
    dream.add_argument("inputs", nargs="+", metavar="IN", help="pictures to dream")
    dream.add_argument(
        "-o", "--output", metavar="OUT", help="a picture, or a folder (default: IN_dream.png)"
    )
    _add_network_options(dream)
    _add_objective_options(dream)
    _add_ascent_options(dream)
    add = dream.add_argument
    add("--preview", metavar="DIR", help="write a picture of every step into a folder")
    add("--gif", metavar="FILE", help="an animation of the steps: .gif, .webp or .mp4")
    add("--preview-every", choices=("step", "octave"), default="step", help="(default: step)")
    _add_machine_options(dream)
    add("--plan", action="store_true", help="print the programs, memory and time it takes; stop")
    dream.set_defaults(run="dream.dream_pictures")


def _add_batch(commands) -> None:
    batch = commands.add_parser(
        "batch", help="dream a folder of pictures; run again, it does what is missing or changed"
    )
    add = batch.add_argument
    add("inputs", nargs="*", metavar="IN", help="folders with all their subfolders, pictures, "
        "patterns in quotes such as 'in/**/*.jpg', @FILE for a list")  # fmt: skip
    add("-o", "--output", metavar="DIR", required=True, help="the folder for the dreams and their "
        "journal, jaxdream.jsonl")  # fmt: skip
    add("--list", dest="lists", action="append", default=[], metavar="FILE",
        help="a text file with a picture's path on each line, or - for standard input")  # fmt: skip
    add("--format", choices=("same", "png", "jpg", "webp", "tif"), default="same", help="of the "
        "dreams; same: their pictures', but PNG for GIF and BMP (default: same)")  # fmt: skip
    add("--overwrite", action="store_true", help="dream all anew, and replace files of others")
    add("--batch", type=_count, metavar="N", help="most pictures dreamed at once (default: as "
        "many as fit into the memory)")  # fmt: skip
    _add_network_options(batch)
    _add_objective_options(batch)
    _add_ascent_options(batch)
    _add_machine_options(batch, "pictures")
    _add_process_options(batch)
    batch.set_defaults(run="batch.dream_batch")


def _add_machine_options(parser, shard: str | None = None) -> None:
    parser.add_argument("--memory", type=_bytes, metavar="SIZE", help="what it may take, such as "
        "2GB; more is computed by parts (default: most of what is free)")  # fmt: skip
    choices = ("rows",) if shard is None else ("pictures", "rows")
    parser.add_argument("--shard", choices=choices, default=shard, help="what is shared out among "
        "all devices of this machine, such as the rows of large pictures (default: "
        f"{shard or 'nothing'})")  # fmt: skip


def _add_process_options(parser) -> None:
    add = parser.add_argument
    add("--distributed", action="store_true", help="take a share of the work beside other "
        "processes, which a TPU pod, Slurm or Open MPI tells of")  # fmt: skip
    add("--coordinator", metavar="HOST:PORT", help="or these three: where process 0 is reached")
    add("--processes", type=int, metavar="N", help="how many there are")
    add("--process-id", type=int, metavar="I", help="which of them this is, from 0")
    add("--wait", type=int, default=300, metavar="SECONDS",
        help="for the others to be there (default: %(default)s)")  # fmt: skip


def _add_objective_options(parser) -> None:
    add = parser.add_argument
    add("--layer", help="what to dream, from `jaxdream layers` (default: the network's best known)")
    add("--guide", action="append", default=[], metavar="FILE", help="a picture whose features the "
        "layer is to dream; several may be given")  # fmt: skip
    add("--guide-weight", action="append", type=float, default=[], metavar="W",
        help="of each guide (default: 1)")  # fmt: skip
    add("--guide-size", type=_positive, default=1024, metavar="N",
        help="guides with a longer side are made smaller (default: %(default)s)")  # fmt: skip
    add("--objective", metavar="TEXT", help='what to maximise, such as "0.5*inception_3b/output + '
        'inception_4c/output:12"')  # fmt: skip


def _add_ascent_options(parser) -> None:
    add = parser.add_argument
    add("--steps", type=int, default=10, help="steps in each octave (default: %(default)s)")
    add("--octaves", type=int, default=4, help="sizes to dream at (default: %(default)s)")
    add("--octave-scale", type=float, default=1.4, help="from size to size (default: %(default)s)")
    add("--step-size", type=float, default=1.5, help="mean change of a step, in levels of 255 "
        "(default: %(default)s)")  # fmt: skip
    add("--jitter", type=int, default=32, help="largest shift, in pixels (default: %(default)s)")
    add("--no-clip", action="store_true", help="let values leave 0..255 on the way")
    add("--optimizer", default="classic", metavar="NAME", help="the step of 2015, or an optax "
        "optimiser such as adam (default: %(default)s)")  # fmt: skip
    add("--smooth", type=float, default=0.0, metavar="PIXELS", help="blur gradients by a Gaussian")
    add("--laplacian", type=int, default=0, metavar="LEVELS", help="give each band of frequencies "
        "of a gradient the same strength; 4 is usual")  # fmt: skip
    add("--seed", type=_seed, default=0, help="of the jitter (default: %(default)s)")
    add("--size", metavar="N|WxH", help="size to dream at: longest side, or width and height")


def _add_zoom(commands) -> None:
    zoom = commands.add_parser("zoom", help="dream a zoom into a picture: frames or a video")
    zoom.add_argument("input", metavar="IN", help="the picture to begin from")
    zoom.add_argument("-o", "--output", metavar="OUT", help="a .mp4, .webp, .gif, or a folder of "
                      "frames (default: IN_zoom.mp4)")  # fmt: skip
    add = zoom.add_argument
    add("--frames", type=int, default=100, help="how many; asked again for more, it goes on from "
        "those there, but not with an easing (default: %(default)s)")  # fmt: skip
    add("--zoom", type=float, default=0.05, help="share of each side that leaves from frame to "
        "frame; below 0 the picture shrinks (default: %(default)s)")  # fmt: skip
    add("--rotate", type=float, default=0.0, metavar="DEGREES", help="turn from frame to frame, "
        "counter-clockwise (default: 0)")  # fmt: skip
    add("--shift", type=float, nargs=2, default=(0.0, 0.0), metavar=("X", "Y"),
        help="pixels from frame to frame, to the right and down (default: 0 0)")  # fmt: skip
    add("--easing", default="linear", help="how the movement is spread: linear, in (from slow to "
        "fast), out, in-out (default: %(default)s)")  # fmt: skip
    add("--classic-warp", action="store_true", help="the zoom of 2015, half a pixel off centre")
    add("--fps", type=float, default=25.0, help="frames a second (default: %(default)g)")
    add("--keep-frames", action="store_true", help="keep the folder OUT.frames of a video")
    _add_network_options(zoom)
    _add_objective_options(zoom)
    _add_ascent_options(zoom)
    zoom.set_defaults(run="zoom.zoom_picture")


def _add_replay(commands) -> None:
    replay = commands.add_parser("replay", help="make a dreamed picture again, from its own recipe")
    replay.add_argument("dreamed", metavar="DREAMED", help="a picture written by jaxdream")
    replay.add_argument("input", metavar="IN", help="the picture it was dreamed from")
    replay.add_argument("-o", "--output", metavar="OUT", help="(default: DREAMED_replay.png)")
    replay.add_argument("--guide", action="append", default=[], metavar="FILE", help="a file that "
                        "its objective names, where it is not beside IN")  # fmt: skip
    _add_network_options(replay, model="the recipe's")
    _add_machine_options(replay)
    replay.set_defaults(run="dream.replay_picture")


def _add_visualize(commands) -> None:
    show = commands.add_parser(
        "visualize", help="make pictures of what a class, channel, neuron or direction looks like"
    )
    add = show.add_argument
    add("--class", dest="classes", nargs="+", action="extend", metavar="NAME",
        help="a class by its name, WordNet id or index; or several")  # fmt: skip
    add("--layer", dest="layers", nargs="+", action="extend", metavar="LAYER",
        help="a layer, as a whole if nothing in it is named; or several")  # fmt: skip
    add("--channel", "--channels", dest="channels", metavar="N", help="of the layer: 12, 0-15, 3,7")
    add("--neuron", dest="neurons", nargs="+", action="extend", metavar="N[@X,Y]",
        help="of the layer: a channel in the middle, or at shares of width and height")  # fmt: skip
    add("--direction", metavar="FILE", help="of the layer: a .npy file, a number for each channel")
    add("--objective", metavar="TEXT", help="anything else, as for `jaxdream dream`")
    add("-o", "--output", metavar="OUT", help="a picture, or a folder for several (default: by "
        "what is shown)")  # fmt: skip
    _add_network_options(show)
    add("-n", "--count", type=int, default=1, help="pictures of it (default: %(default)s)")
    add("--grid", action="store_true", help="several pictures on one labelled sheet")
    add("--columns", type=int, help="of the sheet (default: as many as rows)")
    add("--from", dest="start", metavar="IN", help="a photograph to begin from, not noise")
    add("--size", metavar="N|WxH", help="a side, or width and height (default: 224, or IN's)")
    add("--steps", type=int, default=256, help="(default: %(default)s)")
    add("--learning-rate", type=float, default=0.02, help="of Adam (default: %(default)s)")
    add("--tv", dest="total_variation", type=float, default=0.1, metavar="WEIGHT",
        help="pull towards smoothness (default: %(default)s)")  # fmt: skip
    add("--diversity", type=float, metavar="WEIGHT",
        help="pull that makes the pictures of --count differ (default: 0.5)")  # fmt: skip
    add("--no-transforms", dest="transforms", action="store_false",
        help="do not shift, scale and turn the picture at random before each step")  # fmt: skip
    add("--seed", type=_seed, default=0, help="of noise and views (default: %(default)s)")
    show.set_defaults(run="visualize.visualize")


def _add_filters(commands) -> None:
    filters = commands.add_parser("filters", help="show the filters of the first layer")
    add = filters.add_argument
    add("-o", "--output", metavar="OUT", default="filters.png", help="(default: %(default)s)")
    _add_network_options(filters)
    add("--scale", type=int, default=8, help="pixels a weight is wide (default: %(default)s)")
    add("--columns", type=int, help="(default: as many as rows)")
    filters.set_defaults(run="filters.show_filters")


def _add_network_options(parser, model: str = "auto") -> None:
    if model == "auto":
        parser.add_argument("--model", default="auto", help="a name from `jaxdream models`, or "
                            "auto: the network of 2015 if it can be had")  # fmt: skip
        parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32",
                            help="of the network; bfloat16 is for accelerators "
                            "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--weights", metavar="PATH", help="a weight file of your own")
    parser.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="(default: the best)")
