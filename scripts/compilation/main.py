"""``scripts/compile_for.py``: compile what the options ask for, print and write the tables."""

import itertools
import os
import sys
from collections.abc import Iterator, Sequence

from compilation.options import Options, parse
from compilation.targets import ENVIRONMENT, Target
from jaxdream.settings import Precision

BAD_INPUT, INTERRUPTED = 2, 130  # exit codes


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    options = parse(arguments)
    for target in options.targets:
        if hint := target.missing():
            _end(hint)
    os.environ.update(ENVIRONMENT)
    # Imported late: these import JAX.
    from compilation.report import to_markdown
    from compilation.results import read_rows
    from jaxdream import JaxdreamError

    code, rows = 0, []
    try:
        rows += read_rows(options.json)
        _compile_all(options, rows)
    except (JaxdreamError, OSError) as error:
        _end(str(error))
    except KeyboardInterrupt:
        code = INTERRUPTED
    markdown = to_markdown(rows)
    print(markdown)
    if options.markdown:
        options.markdown.write_text(markdown)
    sys.exit(code)


def _compile_all(options: Options, rows: list) -> None:
    """Put what is not among the rows yet there."""
    from compilation.measure import measure
    from compilation.report import describe
    from compilation.results import write_rows

    known = {row.key for row in rows}
    for target, network, precision, case in _wanted(options):
        if (target.name, network, precision, case) in known:
            continue
        row = measure(target, network, precision, case)
        rows.append(row)
        write_rows(options.json, rows)
        print(f"compile_for: {describe(row)}", file=sys.stderr, flush=True)


def _wanted(options: Options) -> Iterator[tuple[Target, str, Precision, str]]:
    """Everything that is asked for, except what a target does not compute in."""
    for target, network, case, precision in itertools.product(
        options.targets, options.networks, options.cases, options.precisions
    ):
        if target.can_compute(precision):
            yield target, network, precision, case


def _end(line: str) -> None:
    print(f"compile_for: {line}", file=sys.stderr)
    sys.exit(BAD_INPUT)
