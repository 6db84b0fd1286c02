"""What several commands of the command line have in common."""

from collections.abc import Callable

from jaxdream.cli.options import Parser, number


def add_command(commands, name: str, run: str, help: str, examples: str = "") -> Parser:
    """A command, with its help and examples."""
    epilog = f"examples:\n{examples}" if examples else None
    parser = commands.add_parser(name, help=help, description=help, epilog=epilog)
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_overwrite(parser: Parser) -> None:
    parser.add_argument(
        "--overwrite", action="store_true",
        help="replace files that are there already, also those that jaxdream did not write",
    )  # fmt: skip


def add_objective(parser: Parser) -> None:
    add = parser.add_argument_group("what to dream").add_argument
    add("--layer", help="a layer, such as 4c or inception_3b/output (`jaxdream layers` lists them; "
        "default: the network's best known)")  # fmt: skip
    add("--guide", action="append", default=[], metavar="FILE",
        help="a picture whose features the layer dreams; may be repeated")  # fmt: skip
    add("--guide-weight", action="append", type=number(-1e6, 1e6, "guide_weight"), default=[],
        metavar="W", help="how much each guide counts, in their order (default: 1)")  # fmt: skip
    add("--look", metavar="NAME", help="settings and an objective that go well together, or random "
        "(`jaxdream looks` lists them); what is given beside it wins")  # fmt: skip
    add("--objective", metavar="TEXT", help='anything else to maximise, such as "0.5*3b + 4c:12"')


def add_network(parser: Parser) -> None:
    add_weights_option(parser)
    parser.add_argument(
        "--model", default="auto",
        help="a network by its name (`jaxdream models` lists them; default: the network of 2015, "
        "or the small one that comes with jaxdream), or MODULE:FUNCTION of your own code, which "
        "gives one",
    )  # fmt: skip


def add_weights_option(parser: Parser) -> None:
    parser.add_argument(
        "--weights", metavar="FILE",
        help="a weight file of your own (default: JAXDREAM_WEIGHTS, or the one that `jaxdream "
        "weights use` remembers)",
    )  # fmt: skip


def add_device(parser: Parser) -> None:
    parser.add_argument(
        "--device", choices=("cpu", "gpu", "tpu"), help="where to compute (default: the best)"
    )


def add_cluster(parser: Parser, places: str) -> None:
    """The option ``--cluster``.

    Args:
        places: a sentence for its help: where files may be.
    """
    parser.add_argument_group("several machines").add_argument(
        "--cluster", nargs="?", const="local", metavar="ADDRESS", help="compute on a Ray cluster: "
        "auto for the one that this machine is part of, or HOST:PORT; without an address, Ray on "
        f"this machine. {places}",
    )  # fmt: skip


def add_log(add: Callable[..., object]) -> None:
    """The option ``--log``, by the ``add_argument`` of a parser or a group."""
    add(
        "--log", metavar="FILE", help="add every step to this file, as lines of JSON: value, "
        "gradient, and of each octave or picture what layers see at its end",
    )  # fmt: skip
