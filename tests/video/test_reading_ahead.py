"""Items that are made before they are asked for."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream.video.reading_ahead import ahead


@given(st.lists(st.none() | st.integers(), max_size=8), st.integers(1, 10))
def test_gives_the_same_items(items, count):
    assert list(ahead(iter(items), count=count)) == items


@pytest.mark.parametrize("count", [1, 3])
def test_makes_so_many_before_they_are_asked_for_and_no_more(count):
    made = [threading.Event() for _ in range(10)]

    def items():
        for event in made:
            event.set()
            yield event

    given_ahead = ahead(items(), count=count)
    for number in range(3):
        assert next(given_ahead) is made[number]
        assert made[number + count].wait(10)
        assert not any(event.is_set() for event in made[number + count + 1 :])
    given_ahead.close()


def test_nothing_is_made_before_the_first_is_asked_for():
    def items():
        raise AssertionError
        yield

    ahead(items())


def test_items_are_made_in_a_thread_of_their_own():
    def items():
        yield threading.current_thread()

    assert next(ahead(items())) is not threading.current_thread()


def test_an_error_is_raised_where_its_item_would_have_been():
    def items():
        yield 1
        yield 2
        raise ValueError("the third")

    given_ahead = ahead(items(), count=3)
    assert [next(given_ahead), next(given_ahead)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(given_ahead)


def test_closing_ends_the_iterator_and_the_thread():
    ended = []

    def items():
        try:
            yield threading.current_thread()
            yield 2
            yield 3
        finally:
            ended.append(True)

    given_ahead = ahead(items())
    thread = next(given_ahead)
    given_ahead.close()
    assert ended == [True]
    assert not thread.is_alive()


def test_an_iterator_that_cannot_be_closed():
    given_ahead = ahead(iter([1, 2, 3]))
    assert next(given_ahead) == 1
    given_ahead.close()
    assert list(given_ahead) == []
