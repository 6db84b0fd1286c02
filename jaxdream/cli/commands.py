"""The commands of the command line, their options and their help.

A command names the function that runs it, which is imported only then.
"""

import argparse

from jaxdream.cli.command_parts import (
    add_cluster,
    add_command,
    add_device,
    add_log,
    add_network,
    add_objective,
    add_overwrite,
    add_weights_option,
)
from jaxdream.cli.film_commands import add_video, add_zoom
from jaxdream.cli.options import Parser, add_settings, whole_number
from jaxdream.cli.unit_commands import add_atlas, add_examples
from jaxdream.settings import (
    Compute,
    DreamSettings,
    PageSettings,
    SourceSettings,
    VisualizeSettings,
)

# Settings of the source that belong to an objective, or to other settings of a dream.
_OF_A_DREAM = ("begin", "guide_size", "make_tile", "mask", "mask_invert", "mask_feather")

_EXAMPLES = """examples:
  jaxdream dream sky.jpg                          sky_dream.png beside it
  jaxdream dream sky.jpg --steps 20 --octaves 5   a stronger dream
  jaxdream dream sky.jpg --layer 3b               another layer: strokes, eyes
  jaxdream layers                                 what else can be dreamed
  jaxdream batch photos -o dreams                 a whole folder
  jaxdream zoom sky.jpg -o zoom.mp4               a film
  jaxdream web                                    a page in the browser
"""


def build_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="jaxdream", description="DeepDream in JAX: the look of 2015.", epilog=_EXAMPLES
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    parser.commands = commands.choices
    for add in (
        _add_dream, _add_batch, _add_replay, add_zoom, add_video, _add_visualize, add_examples,
        add_atlas, _add_filters, _add_looks, _add_web, _add_layers, _add_models, _add_classes,
        _add_weights, _add_info, _add_completion,
    ):  # fmt: skip
        add(commands)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None) -> None:
        del namespace, values, option_string
        import jaxdream

        print(f"jaxdream {jaxdream.__version__}")
        parser.exit(0)


def _add_dream(commands) -> None:
    parser = add_command(
        commands, "dream", "dream.dream_pictures", "dream pictures",
        "  jaxdream dream sky.jpg\n"
        "  jaxdream dream sky.jpg -o out.png --steps 20 --octaves 5\n"
        "  jaxdream dream sky.jpg --layer inception_3b/5x5_reduce --size 1024\n"
        "  jaxdream dream sky.jpg --guide flowers.jpg --layer 3b\n"
        "  jaxdream dream *.jpg -o dreams\n",
    )  # fmt: skip
    parser.add_argument("inputs", nargs="*", metavar="IN", help="pictures to dream")
    parser.add_argument(
        "-o", "--output", metavar="OUT",
        help="where to write: a picture, or a folder (default: IN_dream.png)",
    )  # fmt: skip
    add_overwrite(parser)
    add_objective(parser)
    add_settings(parser, DreamSettings, absent=True)
    add_settings(parser, SourceSettings)
    add_network(parser)
    add_settings(parser, Compute)
    add_device(parser)
    add = parser.add_argument_group("seeing it happen").add_argument
    add("--preview", metavar="DIR", help="write a picture of every step into this folder")
    add("--gif", metavar="FILE", help="write an animation of the steps: .gif, .webp or .mp4")
    add(
        "--preview-every", choices=("step", "octave"), default="step",
        help="how often --preview and --gif have a picture (default: step)",
    )  # fmt: skip
    add_log(add)
    add("--before-after", action="store_true", help="also write each picture and its dream side by "
        "side, into OUT_before_after")  # fmt: skip
    add("--grid", nargs="+", metavar="NAME=A,B", help="dream with every combination of these "
        "values, such as layer=3b,4c step_size=0.7,1.5, into one sheet")  # fmt: skip
    add("--plan", action="store_true", help="print which programs, memory and time it takes; stop")


def _add_batch(commands) -> None:
    parser = add_command(
        commands, "batch", "batch.dream_batch",
        "dream a folder of pictures; run again, it does what is missing or changed",
        "  jaxdream batch photos -o dreams --size 1024\n"
        "  jaxdream batch 'photos/**/*.jpg' @more.txt -o dreams\n"
        "  jaxdream batch s3://bucket/photos -o s3://bucket/dreams --cluster auto\n",
    )  # fmt: skip
    add = parser.add_argument
    add("inputs", nargs="*", metavar="IN", help="folders with all their subfolders, pictures, "
        "patterns in quotes such as 'in/**/*.jpg', @FILE for a list")  # fmt: skip
    add("-o", "--output", metavar="DIR", required=True, help="the folder for the dreams and their "
        "journal, jaxdream.jsonl (with --cluster jaxdream-manifest)")  # fmt: skip
    add("--list", dest="lists", action="append", default=[], metavar="FILE",
        help="a text file with a picture's path on each line, or - for standard input")  # fmt: skip
    add("--format", choices=("same", "png", "jpg", "webp", "tif"), default="same",
        help="format of the dreams; same is the format of each picture, but PNG for GIF and BMP "
        "(default: same)")  # fmt: skip
    add("--shards", choices=("tar", "parquet"), help="with --cluster: write the dreams into shards "
        "of 512, as WebDataset reads them or as tables (default: each is a file)")  # fmt: skip
    add("--overwrite", action="store_true", help="dream all again, and replace files of others")
    add("--batch", type=whole_number(1, 10**6, "batch"), metavar="N",
        help="dream at most this many pictures at once (default: as many as fit into the "
        "memory)")  # fmt: skip
    add_objective(parser)
    add_settings(parser, DreamSettings, absent=True)
    add_settings(parser, SourceSettings, without=("begin",))
    add_network(parser)
    add_settings(parser, Compute, defaults={"shard": "pictures"})
    add_device(parser)
    add_cluster(
        parser, "IN and --output may be URLs such as s3://bucket/photos, IN also .tar and .parquet "
        "files",
    )  # fmt: skip


def _add_replay(commands) -> None:
    parser = add_command(
        commands, "replay", "replay.replay_picture",
        "make a dreamed picture again from its recipe, or dream another picture with it",
        "  jaxdream replay dream.png sky.jpg\n"
        "  jaxdream replay dream.png other.jpg --other-picture\n",
    )  # fmt: skip
    add = parser.add_argument
    add("dreamed", metavar="DREAMED", help="a picture that jaxdream wrote")
    add("input", nargs="?", metavar="IN", help="the picture it was dreamed from; none if it began "
        "from noise")  # fmt: skip
    add("-o", "--output", metavar="OUT", help="where to write (default: DREAMED_replay.png)")
    add_overwrite(parser)
    add("--other-picture", action="store_true", help="dream IN with the same settings, even if it "
        "is another picture")  # fmt: skip
    add("--size", metavar="N|WxH", help="size to dream at (default: the recipe's, or the other "
        "picture's own)")  # fmt: skip
    add("--guide", action="append", default=[], metavar="FILE", help="a file that its objective "
        "names, where it is not beside IN")  # fmt: skip
    add("--mask", metavar="FILE", help="the mask of its recipe, where it is not beside IN")
    add("--model", metavar="MODULE:FUNCTION", help="the network of your own that it was dreamed "
        "with; code is never run because a picture names it")  # fmt: skip
    add_weights_option(parser)
    add_settings(parser, Compute, without=("precision",))
    add_device(parser)


def _add_visualize(commands) -> None:
    parser = add_command(
        commands, "visualize", "visualize.visualize",
        "make pictures of what a class, channel, neuron or direction looks like",
        "  jaxdream visualize --class banana -o banana.png\n"
        "  jaxdream visualize --grid --layer 4c --channels 0-15 -o sheet.png\n"
        "  jaxdream visualize --layer 4c --channels all -o channels\n"
        "  jaxdream visualize --layer 4c --channel 12 --count 4 --diversity 1 --grid\n"
        "  jaxdream visualize --class banana --parametrization maco --alpha\n"
        "  jaxdream visualize --class tabby --from cat.jpg --keep 3a\n",
    )  # fmt: skip
    add = parser.add_argument_group("what to show").add_argument
    add("--class", dest="classes", nargs="+", action="extend", metavar="NAME",
        help="a class by its name, WordNet id or index (`jaxdream classes` lists them); or "
        "several")  # fmt: skip
    add("--layer", dest="layers", nargs="+", action="extend", metavar="LAYER",
        help="a layer, as a whole if nothing in it is named; or several")  # fmt: skip
    add("--channel", "--channels", dest="channels", metavar="N",
        help="channels of the layer, such as 12, 0-15 or 3,7; or all, which goes on where it was "
        "stopped, into a folder with sheets and the parameters of each picture")  # fmt: skip
    add("--neuron", dest="neurons", nargs="+", action="extend", metavar="N[@X,Y]",
        help="a single neuron of the layer: channel N in the middle of the map, or at X and Y as "
        "shares, 0 to 1, of its width and height; N@T of token T")  # fmt: skip
    add("--direction", metavar="FILE",
        help="a direction in the layer: a .npy file with a number for each channel")  # fmt: skip
    add("--objective", metavar="TEXT", help="anything else, as for `jaxdream dream`")
    add = parser.add_argument_group("pictures").add_argument
    add("-o", "--output", metavar="OUT", help="where to write: a picture, or a folder for several "
        "(default: named by what is shown)")  # fmt: skip
    add_overwrite(parser)
    add("-n", "--count", type=whole_number(1, 10**4, "count"), default=1, metavar="N",
        help="make this many pictures of it (default: 1)")  # fmt: skip
    add("--grid", action="store_true", help="put several pictures on one labelled sheet")
    add("--columns", type=whole_number(1, 10**4, "columns"), metavar="N",
        help="pictures in a row of the sheet (default: as many as rows)")  # fmt: skip
    add("--from", dest="start", metavar="IN", help="begin from this photograph, not from noise")
    add("--spectrum", metavar="FOLDER", help="with --parametrization maco, the magnitudes of the "
        "pictures in this folder (default: a power law measured on photographs)")  # fmt: skip
    add("--alpha", action="store_true", help="make what does not matter to the objective "
        "transparent")  # fmt: skip
    add_log(add)
    add_settings(
        parser, VisualizeSettings,
        help={"diversity": "pull that makes the pictures of --count differ; 0.5 where there are "
              "several"},
    )  # fmt: skip
    add_settings(
        parser, SourceSettings, without=_OF_A_DREAM,
        help={"size": "size of the pictures: a side, or width and height; 224, or with maco 512, "
              "unless they begin from a photograph"},
    )  # fmt: skip
    add_network(parser)
    add_settings(parser, Compute, without=("memory", "shard"))
    add_device(parser)
    add_cluster(parser, "Only with --channels all; all machines see the folder of --output")


def _add_filters(commands) -> None:
    parser = add_command(
        commands, "filters", "filters.show_filters", "show the filters of a network's first layer"
    )
    add = parser.add_argument
    add("-o", "--output", metavar="OUT", default="filters.png",
        help="where to write (default: filters.png)")  # fmt: skip
    add_overwrite(parser)
    add("--scale", type=whole_number(1, 100, "scale"), default=8, metavar="N",
        help="pixels that a weight is wide (default: 8)")  # fmt: skip
    add("--columns", type=whole_number(1, 10**4, "columns"), metavar="N",
        help="filters in a row (default: as many as rows)")  # fmt: skip
    add_network(parser)
    add_settings(parser, Compute, without=("memory", "shard"))
    add_device(parser)


def _add_looks(commands) -> None:
    parser = add_command(
        commands, "looks", "looks.show_looks",
        "list the looks, or dream a picture with each of them",
        "  jaxdream looks\n"
        "  jaxdream looks sky.jpg -o looks.png\n",
    )  # fmt: skip
    parser.add_argument("input", nargs="?", metavar="IN", help="a picture to dream with each look")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="where to write the sheet (default: IN_looks.png)"
    )
    add_overwrite(parser)
    add_settings(
        parser, SourceSettings, without=_OF_A_DREAM,
        help={"size": "size to dream at: the longest side, or width and height; 384 at most "
              "unless it is given"},
    )  # fmt: skip
    add_network(parser)
    add_settings(parser, Compute, without=("shard",))
    add_device(parser)


def _add_web(commands) -> None:
    parser = add_command(
        commands, "web", "web.serve_page", "open a page in the browser to dream on",
        "  jaxdream web\n"
        "  jaxdream web --host 0.0.0.0 --port 8000 --no-browser --megapixels 1\n",
    )  # fmt: skip
    add_settings(parser, PageSettings)
    add_network(parser)
    add_settings(parser, Compute, without=("shard",))
    add_device(parser)


def _add_layers(commands) -> None:
    parser = add_command(commands, "layers", "networks.list_layers", "list the layers of a network")
    add_network(parser)


def _add_models(commands) -> None:
    add_command(
        commands, "models", "networks.list_models",
        "list the networks, their licences, and which are on this machine",
    )  # fmt: skip


def _add_classes(commands) -> None:
    parser = add_command(
        commands, "classes", "networks.list_classes", "list the classes that networks know",
        "  jaxdream classes dog\n",
    )  # fmt: skip
    parser.add_argument("word", nargs="?", metavar="WORD", help="only classes with this word")
    parser.add_argument(
        "--model", default="auto", help="of this network (default: those of ImageNet)"
    )


def _add_weights(commands) -> None:
    weights = commands.add_parser("weights", help="convert, verify or choose weight files")
    actions = weights.add_subparsers(metavar="ACTION", required=True)
    known = ".caffemodel, .onnx, .safetensors, .pb, .pth, .bin"
    network = "the network that the file is for (default: found by its content)"
    convert = add_command(
        actions, "convert", "networks.convert_weights", "turn a weight file into safetensors"
    )
    convert.add_argument("input", metavar="IN", help=f"a weight file: {known}")
    convert.add_argument("output", metavar="OUT", help="the .safetensors file to write")
    add_overwrite(convert)
    convert.add_argument("--model", default="auto", help=network)
    verify = add_command(
        actions, "verify", "networks.verify_weights",
        "check names, shapes, values and hash of a weight file",
    )  # fmt: skip
    verify.add_argument("input", metavar="FILE", help=f"a weight file: {known}")
    verify.add_argument("--model", default="auto", help=network)
    use = add_command(
        actions, "use", "networks.use_weights", "remember a weight file for every later command"
    )
    use.add_argument("input", nargs="?", metavar="FILE", help=f"a weight file: {known}")
    use.add_argument("--model", default="auto", help=network)
    use.add_argument("--forget", action="store_true", help="use none any more")


def _add_info(commands) -> None:
    add_command(
        commands, "info", "info.show_info",
        "show versions, devices, memory and caches: what a report of an error needs",
    )  # fmt: skip


def _add_completion(commands) -> None:
    parser = add_command(
        commands, "completion", "completion.print_completion",
        "print what a shell needs to complete commands, options and files",
    )  # fmt: skip
    parser.add_argument(
        "shell", choices=("bash", "zsh", "tcsh", "fish"),
        help="bash's belongs into ~/.local/share/bash-completion/completions/jaxdream, zsh's into "
        "a file _jaxdream in a folder of $fpath",
    )  # fmt: skip
