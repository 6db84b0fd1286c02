"""The options of ``scripts/compile_for.py``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compilation.targets import TARGETS, Target
from jaxdream.settings import PRECISIONS, Precision

DESCRIPTION = """\
Compiles jaxdream's programs for TPUs and GPUs that are not here.

Tells, for each target, network, precision and program, whether it compiles, in how many seconds,
and what it then is: its peak memory, and the kernels, the bytes of memory and the exchanges between
devices of one step. It does not tell how fast the program runs, and cuDNN's algorithms for
convolutions are chosen without trying them. Weights are random: they change nothing of this.

Needs no accelerator, but the compilers: pip install 'jax[tpu]' for TPUs, and 'jax[cuda12]' for
GPUs, each in a virtual environment of its own."""

NETWORKS = ("googlenet", "inception_v3_2015", "googlenet_mini")
CASES = ("dream", "batch-8", "batch-32", "rows-4", "rows-8", "visualize", "video", "largest")


@dataclass(frozen=True)
class Options:
    """What to compile, and where to write what is found."""

    targets: tuple[Target, ...]
    networks: tuple[str, ...]
    precisions: tuple[Precision, ...]
    cases: tuple[str, ...]
    json: Path | None
    markdown: Path | None


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the program if it is wrong."""
    given = _parser().parse_args(arguments)
    return Options(
        targets=tuple(TARGETS[name] for name in given.targets),
        networks=tuple(given.networks),
        precisions=tuple(given.precisions),
        cases=tuple(given.cases),
        json=given.json,
        markdown=given.markdown,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("targets", nargs="+", choices=tuple(TARGETS), metavar="TARGET",
        help=f"of {', '.join(TARGETS)}")  # fmt: skip
    for name, known in (("networks", NETWORKS), ("precisions", PRECISIONS), ("cases", CASES)):
        add(f"--{name}", nargs="+", choices=known, default=known, metavar="NAME",
            help=f"of {', '.join(known)} (default: all)")  # fmt: skip
    add("--json", type=Path, metavar="OUT",
        help="write what is found as it comes; what the file has is not compiled")  # fmt: skip
    add("--markdown", type=Path, metavar="OUT", help="write the tables")
    return parser
