"""The first cases of every area; ``scripts/attack.py --hours`` runs as many as time allows."""

import pytest

from attack import servers
from attack.attack import GENERATORS, Attack

CASES = 3  # of each area: a minute in all


@pytest.fixture(scope="module")
def attack():
    with Attack() as attack:
        yield attack


@pytest.mark.slow
@pytest.mark.parametrize("area", GENERATORS)
def test_nothing_falls(attack, area):
    found = [line for number in range(CASES) for line in attack.run(area, number)]
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["500", "etag with a path", "loop", "http://[::1"])
def test_a_hub_that_does_wrong_ends_in_the_bundled_network(attack, kind):
    kinds = (*servers.QUICK, *servers.BAD_ENDPOINTS)
    assert attack.run("servers", kinds.index(kind)) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_a_killed_run_goes_on(attack, number):
    assert attack.run("kills", number) == []
