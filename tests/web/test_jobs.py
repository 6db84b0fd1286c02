"""The queue of dreams, with dreams that are controlled by the test."""

import threading

import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.web import jobs
from jaxdream.web.jobs import JobQueue, Progress, Waiting

STEPS = 4
SOON = 20  # seconds within which everything here happens


class Dream:
    """A dream whose steps the test allows one by one."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.begun = threading.Event()
        self.steps = threading.Semaphore(0)
        self.error = error

    def __call__(self, stopped):
        self.begun.set()
        for step in range(1, STEPS + 1):
            assert self.steps.acquire(timeout=SOON)
            if self.error is not None:
                raise self.error
            yield Progress(f"step {step}", step / STEPS, shown=step)
            if stopped():
                yield Progress("stopped", step / STEPS, result=f"kept {step}")
                return
        yield Progress("finished", 1.0, result="whole")

    def run_on(self) -> None:
        for _ in range(STEPS):
            self.steps.release()


@pytest.fixture
def queue():
    return JobQueue(waiting=2)


def first(queue, job, kind):
    """The first moment of a kind that a watcher sees."""
    return next(moment for moment in queue.watch(job) if isinstance(moment, kind))


def results(queue, job):
    return [m.result for m in queue.watch(job) if isinstance(m, Progress) and m.result]


def test_a_dream_is_watched_to_its_end(queue):
    dream = Dream()
    job = queue.submit("one", dream, cost=1)
    dream.run_on()
    assert results(queue, job) == ["whole"]
    assert job.ended


def test_the_second_waits_and_then_runs(queue):
    one, two = Dream(), Dream()
    job, later = queue.submit("one", one, cost=1), queue.submit("two", two, cost=1)
    assert one.begun.wait(SOON)
    assert first(queue, later, Waiting) == Waiting(ahead=1, seconds=None)
    assert not two.begun.is_set()
    one.run_on()
    assert results(queue, job) == ["whole"]
    assert two.begun.wait(SOON)
    two.run_on()
    assert results(queue, later) == ["whole"]


def test_the_time_left_comes_from_how_far_the_first_is(queue):
    one, two = Dream(), Dream()
    job, later = queue.submit("one", one, cost=1), queue.submit("two", two, cost=1)
    one.steps.release()
    while first(queue, job, Progress).done == 0:
        pass
    waiting = first(queue, later, Waiting)
    assert waiting.ahead == 1
    assert waiting.seconds is not None
    assert 0 <= waiting.seconds < SOON
    one.run_on()
    two.run_on()


def test_later_times_come_from_the_speed_of_dreams_before(queue):
    done = Dream()
    done.run_on()
    results(queue, queue.submit("before", done, cost=1))
    one, two = Dream(), Dream()
    queue.submit("one", one, cost=1)
    waiting = first(queue, queue.submit("two", two, cost=1), Waiting)
    assert waiting.seconds is not None
    one.run_on()
    two.run_on()


def test_what_is_made_keeps_what_there_is_when_it_is_stopped(queue):
    dream = Dream()
    job = queue.submit("one", dream, cost=1)
    dream.steps.release()
    while first(queue, job, Progress).done == 0:
        pass
    queue.stop("one")
    dream.steps.release()
    assert results(queue, job)[-1].startswith("kept")


def test_what_waits_leaves_the_queue_at_once(queue):
    one, two = Dream(), Dream()
    queue.submit("one", one, cost=1)
    later = queue.submit("two", two, cost=1)
    assert one.begun.wait(SOON)
    queue.stop("two")
    assert list(queue.watch(later)) == []
    one.run_on()
    assert not two.begun.is_set()


def test_another_order_of_the_same_visitor_stops_the_first(queue):
    one, two = Dream(), Dream()
    job = queue.submit("one", one, cost=1)
    one.steps.release()
    assert one.begun.wait(SOON)
    later = queue.submit("one", two, cost=1)
    assert job.stopped.is_set()
    one.steps.release()
    two.run_on()
    assert results(queue, later) == ["whole"]


def test_too_many_waiting_dreams_are_refused(queue):
    dreams = [Dream() for _ in range(3)]
    for number, dream in enumerate(dreams):
        queue.submit(str(number), dream, cost=1)
    with pytest.raises(JaxdreamError, match="2 dreams are waiting already"):
        queue.submit("more", Dream(), cost=1)
    for dream in dreams:
        dream.run_on()


def test_an_error_is_the_watchers_and_the_next_dream_runs(queue):
    bad, good = Dream(error=JaxdreamError("too small")), Dream()
    job, later = queue.submit("one", bad, cost=1), queue.submit("two", good, cost=1)
    bad.steps.release()
    with pytest.raises(JaxdreamError, match="too small"):
        list(queue.watch(job))
    good.run_on()
    assert results(queue, later) == ["whole"]


def test_what_nobody_watches_is_stopped(queue, monkeypatch):
    monkeypatch.setattr(jobs, "_UNWATCHED", 0.0)
    left, waited = Dream(), Dream()
    queue.submit("left", left, cost=1)
    left.run_on()
    job = queue.submit("waited", waited, cost=1)
    waited.run_on()
    assert "whole" not in results(queue, job)  # by then both are stopped
