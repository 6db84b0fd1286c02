"""``scripts/simulate_cluster.py``: when runs end of which that can be said by hand."""

import pytest

from jaxdream.cluster import listing, run
from simulate_cluster import AHEAD, PART, end_of_run, in_shares


def test_it_is_of_the_engine_that_is():
    assert (AHEAD, PART) == (run._AHEAD, listing.PART)


@pytest.mark.parametrize("ahead", [1, 2, 4])
def test_equal_workers_end_together(ahead):
    assert end_of_run([1.0, 1.0], 10, ahead=ahead) == 5
    assert end_of_run([2.0], 10, ahead=ahead) == 5
    assert end_of_run([1.0, 1.0], 1, ahead=ahead) == 1


def test_a_slow_worker_has_fewer_batches():
    # The slow one takes 10 for a batch, while the other does ten of them.
    assert end_of_run([1.0, 0.1], 11, ahead=1) == 10
    # With two at once it has its second one until 20.
    assert end_of_run([1.0, 0.1], 11, ahead=2) == 20
    assert in_shares([1.0, 0.1], 22) == pytest.approx(110)


def test_with_enough_batches_the_end_is_hardly_later_than_the_ideal():
    speeds = [1.0] * 7 + [1 / 3]
    batches = 50 * len(speeds)
    assert batches / sum(speeds) <= end_of_run(speeds, batches) <= 1.1 * batches / sum(speeds)
    assert in_shares(speeds, batches) > 2.5 * batches / sum(speeds)
