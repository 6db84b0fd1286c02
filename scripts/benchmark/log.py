"""Progress lines."""

import sys


def log(line: str) -> None:
    """Print a line to stderr: stdout has the tables."""
    print(f"bench: {line}", file=sys.stderr, flush=True)
