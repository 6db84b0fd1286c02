"""Print the oldest versions of what jaxdream needs, as pyproject.toml has them, for pip.

    python scripts/oldest_versions.py [EXTRA...] > oldest.txt
    pip install -c oldest.txt '.[EXTRA]'

Only what pyproject.toml names itself: what that needs in turn is pip's own choice.
"""

import argparse
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def read_project() -> Mapping[str, Any]:
    """The table `[project]` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def of_extra(project: Mapping[str, Any], extra: str) -> Iterator[str]:
    """What an extra installs, where it names another extra what that one does."""
    for line in project["optional-dependencies"][extra]:
        own = re.fullmatch(rf"{project['name']}\[([\w,]+)\]", line)
        if own is None:
            yield line
        else:
            for other in own[1].split(","):
                yield from of_extra(project, other)


def oldest(requirement: str) -> str:
    """The lower bound of a requirement as the only version: `a>=1.2,<2` is `a==1.2`."""
    found = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?[>=]=([\w.]+)(?:,<[\w.]+)?", requirement)
    if found is None:
        raise SystemExit(f"pyproject.toml: {requirement} has no lower bound, such as a>=1.2")
    return f"{found[1]}=={found[2]}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="print the oldest versions, as pip's constraints")
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help="extras, such as test")
    options = parser.parse_args()
    project = read_project()
    lines = [*project["dependencies"]]
    for extra in options.extras:
        if extra not in project["optional-dependencies"]:
            parser.error(f"pyproject.toml has no extra {extra}")
        lines += of_extra(project, extra)
    print("\n".join(map(oldest, lines)))


if __name__ == "__main__":
    main()
