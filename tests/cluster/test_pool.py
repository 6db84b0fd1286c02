"""Parts on real workers: in order or as they come, again where a worker ends, errors in a line."""

import os
import signal
import time
from contextlib import closing
from copy import copy

import pytest
from cluster_extras import REQUIRED
from tiny_network import tiny_network

from jaxdream import JaxdreamError
from jaxdream.cluster.engine import find_workers
from jaxdream.cluster.machines import FromStore
from jaxdream.cluster.pool import Pool
from jaxdream.settings import Compute

pytestmark = pytest.mark.slow
assert REQUIRED in (True, False)


@pytest.fixture(scope="module")
def pool(local_ray):
    assert local_ray.is_initialized()
    with closing(Pool(tiny_network(), Compute(), None)) as made:
        yield made


def label(part):
    return f"part {part}"


def each(pool, function, parts, **options):
    return list(pool.each(function, parts, label=label, **options))


def test_each_part_has_a_result_of_the_network(pool):
    assert each(pool, lambda model, part: (model.name, part + 1), range(4), in_order=True) == [
        (part, ("tiny", part + 1)) for part in range(4)
    ]
    assert each(pool, lambda _, part: part, []) == []
    assert sorted(each(pool, lambda _, part: -part, range(3))) == [(0, 0), (1, -1), (2, -2)]


def test_a_part_whose_worker_ends_is_done_again(pool, tmp_path):
    kill = signal.SIGKILL  # of this module no worker knows anything

    def once(_, part):
        marker = tmp_path / "ended"
        if part == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), kill)
        return part

    assert each(pool, once, range(3), in_order=True) == [(0, 0), (1, 1), (2, 2)]
    assert (tmp_path / "ended").exists()


def test_not_for_ever(pool, monkeypatch):
    monkeypatch.setattr("jaxdream.cluster.pool.MOST_TRIES", 2)
    kill = signal.SIGKILL
    with pytest.raises(JaxdreamError, match="part 5 ended their worker 2 times: The actor died"):
        each(pool, lambda *_: os.kill(os.getpid(), kill), [5])


def test_an_idle_worker_that_has_ended_is_no_try(pool, monkeypatch):
    import ray

    each(pool, lambda _, part: part, [0])
    monkeypatch.setattr("jaxdream.cluster.pool.MOST_TRIES", 1)
    ray.kill(pool.idle[0])
    time.sleep(1)
    assert each(pool, lambda _, part: part, [1]) == [(1, 1)]


def test_an_error_of_a_part_is_one_line(pool):
    error = JaxdreamError

    def fail(_, part):
        raise error(f"no {part} at all") if part else ValueError("odd")

    with pytest.raises(JaxdreamError, match=r"^no 2 at all$"):
        each(pool, fail, [2])
    with pytest.raises(JaxdreamError, match=r"^ValueError: odd$"):
        each(pool, fail, [0])


def test_workers_that_do_not_start_are_not_started_for_ever(pool, monkeypatch):
    monkeypatch.setattr("jaxdream.cluster.pool.MOST_TRIES", 1)
    broken = copy(pool)
    broken.starting, broken.idle, broken.busy = {}, [], {}
    broken._network = FromStore("nothing")
    with pytest.raises(JaxdreamError, match=r"no worker starts, tried 1 times: \w+Error: "):
        each(broken, lambda _, part: part, [1])
    broken.close()


def test_machines_that_join_have_workers(pool, monkeypatch):
    two = find_workers(Compute())._replace(now=2)
    monkeypatch.setattr("jaxdream.cluster.pool.find_workers", lambda *_: two)
    sleep, seen = time.sleep, set()

    def slow(_, part):
        sleep(0.05)
        return part, os.getpid()

    parts = (part for part in range(1000) if len(seen) < 2)
    for part, (same, process) in pool.each(slow, parts, label=label):
        assert part == same
        seen.add(process)
    assert len(seen) == 2
