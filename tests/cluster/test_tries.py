"""What ends its worker is begun three times, and its company is not to blame."""

from jaxdream.cluster.tries import Tries


def test_it_counts_until_the_end():
    tries = Tries()
    tries.begin(["a", "b"])
    tries.begin(["a"])
    assert tries.begun(["a", "b", "c"]) == [2, 1, 0]
    tries.finish(["a", "c"])
    assert tries.begun(["a", "b"]) == [0, 1]
