"""The stages of a run over a cluster in this process, without Ray."""

import pickle
from pathlib import Path

from pictures import SETTINGS

from jaxdream.cluster.entries import iterate_places
from jaxdream.cluster.listing import Listing, PartsOf
from jaxdream.cluster.manifest import known_parts, write_part
from jaxdream.cluster.shards import gather
from jaxdream.cluster.stages import Dream, Load, Plan, Save
from jaxdream.cluster.tries import Tries
from jaxdream.cluster.work import PlaceWork, Planning
from jaxdream.folder.worker import NamedObjective, Progress
from jaxdream.objectives.text import parse_objective
from jaxdream.recipe import provenance
from jaxdream.settings import Compute, DreamSettings, SourceSettings


class Stages:
    """The stages of a run over a folder."""

    def __init__(self, folder, out, tiny, *, shards=None, overwrite=False):
        self.work = work = PlaceWork(
            folder=Path(), settings=DreamSettings(steps=2, octaves=1, jitter=3),
            source=SourceSettings(seed=SETTINGS["seed"]), objective=NamedObjective("second", {}),
            provenance=provenance(tiny), progress=Progress(), place=str(out),
            shards=shards, overwrite=overwrite,
        )  # fmt: skip
        listing = Listing()
        listing.add(iterate_places([str(folder)]))
        listing.check("", str(out))
        parts = PartsOf(str(listing.path), listing.size)
        self.listing, self.listed = listing, parts.part(0)
        self.tries = Tries()
        network = lambda: (tiny, parse_objective("second", tiny))  # noqa: E731
        planning = Planning(max_batch=4, budget_bytes=10**9, device_count=1, platform="cpu")
        self.plan = Plan(work, planning, parts, known_parts(str(out)), network, Compute())
        self.load = Load(work, self.tries)
        self.dream = Dream(work, network, Compute(), self.tries, "cpu")
        self.save = Save(work)

    def rows(self):
        found = []
        for work in self.plan({"part": 0}):
            part, rows = pickle.loads(self.save(self.dream(self.load(work)))["rows"])
            assert part == 0
            found += rows
        return {row.input: row for row in found}

    def gathered(self):
        """The rows, when the shards are written and the manifest is."""
        rows = self.rows()
        gather(self.work, list(rows.values()))
        write_part(self.work.place, rows.values())
        return rows
