import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError
from jaxdream.curves.easing import KEY_EASINGS
from jaxdream.curves.names import zoom_curve_settings
from jaxdream.curves.text import parse_curve, parse_curves
from jaxdream.curves.times import Timeline
from jaxdream.objectives.text import without_folders

FILM = Timeline(10, 101)


def values(text, *frames, timeline=FILM):
    return [parse_curve(text).at(timeline.at(frame)) for frame in frames]


def test_values_between_keys():
    text = "zoom: 10 1, 2s 2, 50% 3 in-out, 100 7 hold"
    assert values(text, 0, 10, 15, 20, 35, 50, 99, 100) == [1, 1, 1.5, 2, 2.5, 3, 3, 7]
    assert values("zoom: 0 0, 10 1 in, 20 0 out", 5, 15) == [0.25, 0.25]
    assert values("zoom: 2*t + f", 10) == [12]
    # Both sides go on changing while one fades into the other.
    assert values("zoom: 0 f, 10 10*t", 5) == [0.5 * 5 + 0.5 * 5]


LEVELS = st.floats(-0.99, 0.99)


@given(st.lists(LEVELS, min_size=2, max_size=4), st.sampled_from(KEY_EASINGS), st.integers(0, 35))
def test_values_stay_between_neighbouring_keys(levels, easing, frame):
    keys = [f"{10 * n} {level!r}{f' {easing}' if n else ''}" for n, level in enumerate(levels)]
    curve = parse_curve(f"zoom: {', '.join(keys)}")
    near = levels[frame // 10 :][:2] or levels[-1:]
    assert min(near) <= curve.at(FILM.at(frame)) <= max(near)


def test_the_same_for_seconds_of_a_film_of_varying_frame_rate():
    curve = parse_curve("zoom: 0s 0, 2s 1")
    seconds = [0.0, 0.1, 1.0, 1.5, 2.0]
    found = [curve.at(Timeline().at(n, seconds=second)) for n, second in enumerate(seconds)]
    assert found == [0, 0.05, 0.5, 0.75, 1]


def test_weights_of_objectives():
    curve = parse_curve("objective: 0 3b, 10 4c, 20 3b in, 30 4d hold")
    assert curve.texts == ("3b", "4c", "4d")
    weights = {frame: curve.weights_at(FILM.at(frame)) for frame in (0, 4, 10, 15, 20, 29, 30, 99)}
    assert weights == {
        0: (1, 0, 0),
        4: (0.6, 0.4, 0),
        10: (0, 1, 0),
        15: (0.25, 0.75, 0),
        20: (1, 0, 0),
        29: (1, 0, 0),
        30: (0, 0, 1),
        99: (0, 0, 1),
    }
    still = parse_curve("objective: 0 3b, 10 3b")
    assert still.weights_at(FILM.at(5)) == (1,)


@given(st.integers(0, 40), st.sampled_from(KEY_EASINGS))
def test_weights_sum_to_1(frame, easing):
    curve = parse_curve(f"objective: 0 3b, 17 4c {easing}, 3s 3a {easing}")
    weights = curve.weights_at(FILM.at(frame))
    assert sum(weights) == pytest.approx(1)
    assert min(weights) >= 0


def test_what_only_a_film_shows():
    (curve,) = parse_curves(["step_size: 1e5*f"], zoom_curve_settings()).values()
    assert curve.at(FILM.at(10)) == 1e6
    with pytest.raises(JaxdreamError, match=r"curve 'step_size: 0 1e5\*f': at frame 11 step_size"):
        curve.at(FILM.at(11))
    curve.check(Timeline(25))  # without a number of frames nothing is computed
    with pytest.raises(JaxdreamError, match="at frame 11"):
        curve.check(FILM)
    with pytest.raises(JaxdreamError, match="at frame 40"):
        curve.check(FILM, first=40)


@pytest.mark.parametrize("text", ["zoom: 50% 1", "zoom: 0 1, 50% 2", "objective: 10% 3b, 5s 4c"])
def test_shares_need_the_number_of_frames(text):
    curve = parse_curve(text)
    message = f"curve {text!r}: the number of frames is not known"
    for use in (curve.check, lambda line: curve.weights_at(line.at(0))):
        with pytest.raises(JaxdreamError) as caught:
            use(Timeline(25))
        assert str(caught.value).startswith(message)


def test_objectives_are_no_numbers():
    with pytest.raises(JaxdreamError, match="use texts and weights_at"):
        parse_curve("objective: 3b").at(FILM.at(0))


def test_objectives_whose_files_have_other_names():
    curve = parse_curve("objective: 0 guide('a, b/c.png', 3b), 50% 4c hold")
    renamed = curve.with_texts(without_folders)
    assert str(renamed) == 'objective: 0 guide("c.png", 3b), 50% 4c hold'
