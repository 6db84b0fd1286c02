"""``scripts/bench.py``: measure what the options ask for, print and write the tables."""

import importlib.util
import os
import sys
from collections.abc import Sequence

from benchmark.log import log
from benchmark.options import WITHOUT_PYTORCH, Options, parse
from benchmark.results import Results

INTERRUPTED = 130  # the exit code


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    options = parse(arguments)
    # By default JAX takes most of a GPU's memory at once, and leaves PyTorch none.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    needs_torch = options.against is None and not set(options.parts) <= set(WITHOUT_PYTORCH)
    if needs_torch and importlib.util.find_spec("torch") is None:
        sys.exit("bench: needs PyTorch: pip install '.[bench]'")
    # Imported late: these import JAX, which ``--help`` does not need.
    from benchmark.report import to_markdown
    from jaxdream import JaxdreamError

    try:
        results = measure(options)
    except (JaxdreamError, OSError, RuntimeError) as error:
        sys.exit(f"bench: {error}")
    markdown = to_markdown(results)
    print(markdown)
    if options.markdown:
        options.markdown.write_text(markdown)
    if options.json:
        options.json.write_text(results.to_json())
    sys.exit(INTERRUPTED if results.interrupted else 0)


def measure(options: Options) -> Results:
    """Everything that the options ask for, part by part."""
    from benchmark.background import RerunIfDisturbed, load_now
    from benchmark.machine import limit_cores

    threads = limit_cores(options.threads)
    log(load_now())
    if options.against is not None:
        from benchmark.against import compared_parts

        results, parts = compared_parts(options)
    elif set(options.parts) <= set(WITHOUT_PYTORCH):
        from benchmark.video import video_parts

        results, parts = video_parts(options)
    else:
        from benchmark.parts import measured_parts

        results, parts = measured_parts(options, threads)
    for name, part in parts.items():
        rerun = RerunIfDisturbed(options.rerun_seconds)
        try:
            part(rerun)
        except KeyboardInterrupt:
            results.interrupted = True
            log(f"interrupted in {name}: here is what was measured")
            break
        finally:
            results.background[name] = rerun.share
    return results
