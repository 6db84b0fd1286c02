"""The attack: cases of every area, one after the other, and a report of what fell."""

import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from attack import folders, kills, pictures, recipes, servers, texts, videos, weights
from attack.case import make_place
from attack.invariants import snapshot, violations
from attack.program import Program

GENERATORS = {
    "pictures": pictures.odd_picture,
    "recipes": recipes.odd_recipe,
    "batch": folders.odd_batch,
    "zoom": folders.odd_zoom,
    "videos": videos.odd_video,
    "weights": weights.odd_weights,
    "vectors": weights.odd_vector,
    "objectives": texts.odd_objective,
    "options": texts.odd_command_line,
}
AREAS = (*GENERATORS, "servers", "kills")
_TEMPLATES = {
    recipes.TEMPLATE: recipes.make_template,
    folders.BATCH: folders.make_batch,
    folders.ZOOM: folders.make_zoom,
}


class Attack:
    """Attacks an installed jaxdream; use it in a ``with`` block.

    Each case has a number, and is the same whenever that number is run again.
    """

    def __init__(self, python: str = sys.executable, *, seed: int = 0) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="jaxdream-attack-"))
        self.seed = seed
        self.fallen: list[str] = []
        self.counts: Counter[str] = Counter()
        environment = {
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(self.root / "hf"),
            "JAXDREAM_CACHE": str(self.root / "cache"),
            "JAXDREAM_CONFIG": str(self.root / "config"),
            "JAX_PLATFORMS": "cpu",
        }
        self._program = Program(python, environment)

    def __enter__(self) -> "Attack":
        for name, make in _TEMPLATES.items():
            place = make_place(self.root / f"make-{name}", self.root / "templates", Random(0))

            def run(arguments: list[str], work: Path = place.work) -> None:
                kills.run_to_end(self._program, arguments, work)

            make(place, run)
            (self.root / "templates").mkdir(exist_ok=True)
            place.work.rename(self.root / "templates" / name)
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()
        if not self.fallen:
            shutil.rmtree(self.root, ignore_errors=True)

    def run(self, area: str, number: int) -> list[str]:
        """Run one case; what did not hold."""
        name = f"{area}-{number}"
        root = self.root / name
        place = make_place(root, self.root / "templates", Random(f"{self.seed}/{name}"))
        found = list(self._run(area, number, place, root))
        self.counts[area] += 1
        if found:
            self.fallen.append(f"{name} (in {root}): {'; '.join(found)}")
        else:
            shutil.rmtree(root, ignore_errors=True)
        return found

    def _run(self, area: str, number: int, place, root: Path) -> Iterator[str]:
        if area == "kills":
            yield from kills.kill(self._program, place, self.root / "templates")
        elif area == "servers":
            kinds = (*servers.QUICK, *servers.BAD_ENDPOINTS, *servers.SLOW)
            kind = kinds[number % len(kinds)]
            if kind in servers.BAD_ENDPOINTS:
                yield from self._check(servers.dream(place, kind), place, root, kind)
            else:
                with servers.hub(kind) as endpoint:
                    yield from self._check(servers.dream(place, endpoint), place, root, kind)
        else:
            yield from self._check(GENERATORS[area](place), place, root)

    def _check(self, case, place, root: Path, what: str = "") -> Iterator[str]:
        before = snapshot(root)
        outcome = self._program.run(case, place.work)
        for line in violations(case, outcome, root, before):
            command = " ".join(map(repr, case.arguments))
            yield f"{what + ': ' if what else ''}{line} [{command[:300]}]"

    def run_for(self, seconds: float, areas: Sequence[str] = AREAS, first: int = 0) -> None:
        """Run cases of all areas in turn, as many as the time allows."""
        end, number = time.monotonic() + seconds, first
        while time.monotonic() < end:
            for area in areas:
                self.run(area, number)
                if time.monotonic() > end:
                    break
            number += 1
