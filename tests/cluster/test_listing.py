"""The list of a run: in order, without doubles, in parts, and in a memory that does not grow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_extras import pyarrow

from jaxdream import JaxdreamError
from jaxdream.cluster.entries import Entry
from jaxdream.cluster.listing import PART, Listing, PartsOf, Seen

assert pyarrow


def entry(name, base="s3://box"):
    return Entry(f"{base}/{name}", name)


@pytest.fixture
def listed():
    made = []

    def list_of(entries, *, folder="s3://out", suffix=None):
        listing = Listing(suffix)
        made.append(listing)
        listing.add(entries)
        listing.check("photos", folder)
        return listing

    yield list_of
    for listing in made:
        listing.close()
        assert not listing.path.parent.exists()


def test_pictures_are_in_the_order_of_their_names_and_in_parts(listed):
    names = [f"{n * 7 % (PART + 3):05}.gif" for n in range(PART + 3)]
    odd = "z-\udcff\u00e9.jpg"  # a name of bytes that are not UTF-8
    inside = Entry("s3://box/a.tar", "a/0.png", offset=512, size=9)
    listing = listed([*map(entry, names), *map(entry, names[:9]), entry(odd), inside])
    assert (listing.count, listing.parts()) == (PART + 5, 2)
    assert [listing.length(0), listing.length(1)] == [PART, 5]
    parts = PartsOf(str(listing.path), listing.size)
    found = [*parts.part(0), *parts.part(1)]
    assert [one.entry.name for one in found] == sorted([*names, odd, "a/0.png"])
    assert found[-2].entry == inside
    assert found[-1] == (entry(odd), odd)
    assert found[0] == (entry("00000.gif"), "00000.png")
    assert list(listing.outputs()) == [one.output for one in found]


def test_what_cannot_be(listed, tmp_path):
    with pytest.raises(JaxdreamError, match="no pictures in photos"):
        listed([])
    with pytest.raises(JaxdreamError, match=r"b/a\.png and .*x/a\.png are both named a\.png"):
        listed([entry("a.png"), entry("a.png", "s3://b")])
    with pytest.raises(JaxdreamError, match=r"a\.gif and a\.png would both be written to a\.png"):
        listed([entry("a.png"), entry("a.gif"), entry("a.h.png")])
    with pytest.raises(JaxdreamError, match="pictures are written as"):
        listed([], suffix=".txt")
    (tmp_path / "a.png").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    one = entry("a.png", str(tmp_path / "link"))
    with pytest.raises(JaxdreamError, match=r"a\.png is one of the pictures to dream"):
        listed([one], folder=str(tmp_path))
    with pytest.raises(JaxdreamError, match="leads out of the folder"):
        listed([entry("../a.png", str(tmp_path))], folder=str(tmp_path / "out"))


def test_what_came_out_is_known_and_what_is_missing(listed):
    listing = listed([entry(f"{n:05}.png") for n in range(PART + 2)])
    seen = Seen(listing)
    assert seen.add(1, "a")
    assert not seen.add(1, "a")
    assert seen.missing() == [0, 1]
    assert seen.add(1, "b")
    assert seen.missing() == [0]
    assert not seen.add(1, "b")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="what a process took at most is told by Linux")
def test_the_memory_does_not_grow_with_the_list():
    root = Path(__file__).resolve().parents[2]
    grown = []
    for count in (20_000, 100_000):
        command = [sys.executable, root / "scripts" / "measure_cluster.py", "listing"]
        more = ["--entries", str(count)]
        environment = os.environ | {"PYTHONPATH": str(root)}
        done = subprocess.run(
            [*command, *more], env=environment, check=True, capture_output=True, text=True
        )
        grown.append(float(done.stdout.partition(" MB of the driver")[0].split()[-1]))
    assert 0 <= grown[0] < 100  # what Arrow keeps differs from run to run
    assert grown[1] < grown[0] + 40  # a list in memory takes 1.1 kB for each picture, 88 MB more
