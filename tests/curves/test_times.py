import pytest

from jaxdream import JaxdreamError
from jaxdream.curves.times import Time, Timeline

FILM = Timeline(10, 101)


def test_times_are_frames():
    times = [Time(12.0), Time(1.5, "s"), Time(50.0, "%"), Time(100.0, "%")]
    assert [FILM.frame_of(time) for time in times] == [12, 15, 50, 100]
    assert [str(time) for time in times] == ["12", "1.5s", "50%", "100%"]


def test_a_share_needs_the_number_of_frames():
    with pytest.raises(JaxdreamError, match=r"number of frames is not known, so 50% has no"):
        Timeline(25).frame_of(Time(50.0, "%"))


@pytest.mark.parametrize("rate", [0, -1.0, float("nan"), float("inf")])
def test_frames_come_at_a_possible_rate(rate):
    with pytest.raises(JaxdreamError, match="fps is a number over 0"):
        Timeline(rate)


def test_a_film_has_frames():
    with pytest.raises(JaxdreamError, match="at least 1 frame, not 0"):
        Timeline(25, 0)


def test_where_the_frame_rate_varies_the_frames_own_seconds_count():
    late = FILM.at(20, seconds=3.5)
    assert late.has_reached(Time(3.0, "s"))
    assert not late.has_reached(Time(25.0))
    assert late.share(Time(3.0, "s"), Time(4.0, "s")) == 0.5
    assert late.share(Time(10.0), Time(30.0)) == 0.5
    assert FILM.at(20).share(Time(10.0), Time(3.0, "s")) == 0.5


def test_only_a_share_may_be_the_same_frame_as_another_time():
    assert not FILM.rises(Time(10.0), Time(1.0, "s"))
    assert Timeline(10, 1).rises(Time(0.0), Time(100.0, "%"))
    assert not FILM.rises(Time(60.0), Time(50.0, "%"))
