"""The commands about units and many pictures: their options and their help."""

from jaxdream.cli.command_parts import add_cluster, add_command, add_device, add_network
from jaxdream.cli.options import add_settings, whole_number
from jaxdream.settings import AtlasSettings, Compute, ExamplesSettings, VisualizeSettings

# Between pictures of one thing, of which there is one each, and of a photograph to begin from.
_NOT_OF_UNITS = ("diversity", "keep", "keep_weight")


def add_examples(commands) -> None:
    parser = add_command(
        commands, "examples", "examples.find_examples",
        "find the pictures that excite each channel of a layer most",
        "  jaxdream examples photos --layer 4c --top 9 -o units\n"
        "  jaxdream examples photos --layer 3b 4c --channels 0-31 --visualize -o units\n",
    )  # fmt: skip
    _add_pictures(parser)
    add = parser.add_argument
    add("--layer", dest="layers", nargs="+", action="extend", metavar="LAYER",
        help="a layer, or several in one pass (default: the network's best known)")  # fmt: skip
    add("--channels", default="all", metavar="N", help="whose sheets and pages to make, such as "
        "12, 0-15 or 3,7; the statistics have all (default: all)")  # fmt: skip
    add("--visualize", action="store_true", help="also make a picture of each of these channels "
        "from noise")  # fmt: skip
    add("--visualizations", metavar="FOLDER", help="show the pictures in this folder that "
        "`jaxdream visualize` made of these channels")  # fmt: skip
    add("--seed", type=whole_number(0, 2**32 - 1, "seed"), default=0, metavar="N",
        help="seed of the visualisations (default: 0)")  # fmt: skip
    add_settings(parser, ExamplesSettings)
    _add_rest(parser)
    add_cluster(parser, "All machines see FOLDER and OUT")


def add_atlas(commands) -> None:
    parser = add_command(
        commands, "atlas", "atlas.make_atlas",
        "make a map of what a layer sees in the pictures of a folder",
        "  jaxdream atlas photos --layer 4c -o atlas\n"
        "  jaxdream atlas photos --layer 4c --grid 40 --projection pca -o atlas\n",
    )  # fmt: skip
    _add_pictures(parser)
    parser.add_argument("--layer", metavar="LAYER", help="a layer (default: the network's best "
                        "known)")  # fmt: skip
    add_settings(parser, AtlasSettings)
    _add_rest(parser)


def _add_pictures(parser) -> None:
    add = parser.add_argument
    add("inputs", nargs="+", metavar="FOLDER", help="folders with all their subfolders, pictures, "
        "patterns in quotes such as 'in/**/*.jpg', @FILE for a list")  # fmt: skip
    add("-o", "--output", metavar="OUT", required=True, help="the folder for the results; run "
        "again, a command that was stopped goes on")  # fmt: skip
    add("--overwrite", action="store_true", help="start again from the first picture, and "
        "replace what OUT has")  # fmt: skip


def _add_rest(parser) -> None:
    add_settings(parser, VisualizeSettings, without=_NOT_OF_UNITS)
    add_network(parser)
    add_settings(parser, Compute, without=("memory", "shard"))
    add_device(parser)
