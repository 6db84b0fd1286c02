"""Attack the command line with odd files, texts, servers and moments of killing.

    python scripts/attack.py --hours 2
    python scripts/attack.py --only zoom --first 17 --cases 1
    python scripts/attack.py --python OTHER/bin/python --hours 0.2

What fell is printed with the folder in which it can be seen. Needs the extra ``test``.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from attack.attack import AREAS, Attack


def main() -> int:
    """Run from the command line; 1 if anything fell."""
    parser = argparse.ArgumentParser(description="attack the command line")
    parser.add_argument("--hours", type=float, default=0.02)
    parser.add_argument("--cases", type=int, help="so many of each area, however long they take")
    parser.add_argument("--only", nargs="+", choices=AREAS, default=AREAS, metavar="AREA")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", default=sys.executable, help="of the jaxdream to attack")
    options = parser.parse_args()
    begun = time.monotonic()
    with Attack(options.python, seed=options.seed) as attack:
        if options.cases:
            for number in range(options.first, options.first + options.cases):
                for area in options.only:
                    attack.run(area, number)
        else:
            attack.run_for(3600 * options.hours, options.only, options.first)
    for line in attack.fallen:
        print(line.encode("unicode_escape").decode())
    counted = ", ".join(f"{count} {area}" for area, count in attack.counts.items())
    minutes = (time.monotonic() - begun) / 60
    print(f"{len(attack.fallen)} of {attack.counts.total()} fell in {minutes:.0f} min: {counted}")
    return 1 if attack.fallen else 0


if __name__ == "__main__":
    sys.exit(main())
