"""Runs over a cluster with the tiny network, for several test modules."""

from pictures import SETTINGS, contents
from tiny_network import tiny_network


def dream(inputs, out, *, model=None, **options):
    """The row of each picture, by its name."""
    from jaxdream.cluster import dream_places

    inputs = inputs if isinstance(inputs, list) else [inputs]
    rows = list(dream_places(model or tiny_network(), inputs, out, **SETTINGS | options))
    assert len({row.input for row in rows}) == len(rows), "none twice"
    return {row.input: row for row in rows}


def status(rows):
    """What came of each picture, by its name."""
    return {name: row.status for name, row in rows.items()}


def dreams(folder):
    """The bytes of all dreams in a folder that is not the manifest's."""
    found = contents(folder)
    return {name: found[name] for name in found if not name.startswith("jaxdream-")}
