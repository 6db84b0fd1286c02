import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdream import JaxdreamError
from jaxdream.curves.curve import OBJECTIVE, depends_on_count
from jaxdream.curves.easing import KEY_EASINGS
from jaxdream.curves.names import zoom_curve_settings
from jaxdream.curves.text import parse_curve, parse_curves
from jaxdream.curves.times import Time, Timeline

ALLOWED = zoom_curve_settings()


def parsed(text):
    """The curve that a text means, or None, and why it is refused."""
    try:
        return parse_curve(text), ""
    except JaxdreamError as error:
        return None, str(error)


def parts(text):
    return [(str(key.time), str(key.value), key.easing) for key in parse_curve(text).keys]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "step_size: 0 0.5, 4s 2.0 in-out",
            [("0", "0.5", "linear"), ("4s", "2.0", "in-out")],
        ),
        ("zoom: 0.02 + 0.01*sin(2*pi*t/3)", [("0", "0.02 + 0.01*sin(2*pi*t/3)", "linear")]),
        ("rotate: 12 -1", [("12", "-1", "linear")]),
        ("rotate: 12 - 1", [("0", "12 - 1", "linear")]),
        ("rotate: 0 - 1, 12 - 1", [("0", "-1", "linear"), ("12", "-1", "linear")]),
        (
            "rotate: 1% - 1,50% min(t, 2) hold",
            [("1%", "-1", "linear"), ("50%", "min(t, 2)", "hold")],
        ),
        ("rotate: - t", [("0", "-t", "linear")]),
        ("objective: 3b", [("0", "3b", "linear")]),
        ("objective: 0.5*3b + 4c", [("0", "0.5*3b + 4c", "linear")]),
        ("objective: 2 * 3b", [("0", "2 * 3b", "linear")]),
        (
            'objective: 0 strongest(4c, 10), 1.5s guide("a,b).png", 3b) hold',
            [("0", "strongest(4c, 10)", "linear"), ("1.5s", 'guide("a,b).png", 3b)', "hold")],
        ),
        ("objective: 0 golden retriever, 9 3b - out", [
            ("0", "golden retriever", "linear"), ("9", "3b - out", "linear"),
        ]),
        ("objective: 0 in, 9 out", [("0", "in", "linear"), ("9", "out", "linear")]),
    ],
)  # fmt: skip
def test_keys(text, expected):
    assert parts(text) == expected


NUMBERS = st.one_of(
    st.floats(-1e3, 1e3).map(repr),
    st.sampled_from(["t", "-f", "- 2*t", "0.02 + 0.01*sin(2*pi*t/3)", "min(1, t)", "(1)"]),
)
OBJECTIVES = st.sampled_from(
    ["3b", "-3b", "- 3b + 4c", "0.5*4c:12", "strongest(4c, 10)", "guide('a, b.png', 3b)", "out",
     "logit(\"cat\")", "golden retriever", "3b - in"]
)  # fmt: skip


@st.composite
def curves(draw):
    """Texts of curves."""
    name, value = draw(st.sampled_from([("zoom", NUMBERS), (OBJECTIVE, OBJECTIVES)]))
    if draw(st.booleans()):
        return f"{name}:{draw(value)}"
    unit = draw(st.sampled_from(["", "s", "%"]))
    amounts = st.integers(0, 100) if unit == "" else st.floats(0, 100)
    times = sorted(draw(st.sets(amounts, min_size=1, max_size=4)))
    easings = ["", *(draw(st.sampled_from(["", *KEY_EASINGS])) for _ in times[1:])]
    keys = (
        f"{Time(float(time), unit)} {draw(value)} {easing}"
        for time, easing in zip(times, easings, strict=True)
    )
    return f"{name} : {' , '.join(keys)}"


@given(curves())
def test_a_printed_curve_is_read_as_itself(text):
    curve = parse_curve(text)
    assert parse_curve(str(curve)) == curve
    assert str(parse_curve(str(curve))) == str(curve)


@given(st.text(alphabet="zom: 0123456789.s%+-*/(),\"'thold\n", max_size=40))
def test_any_text_is_read_or_refused_with_one_line(text):
    for name in ("", "zoom:", "objective:"):
        curve, refusal = parsed(name + text)
        assert "\n" not in refusal
        assert curve is None or parsed(str(curve)) == (curve, "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("zoom 0 0.5", "a curve is NAME: TIME VALUE"),
        ("zo om: 1", "a curve is NAME: TIME VALUE"),
        ("zoom:", "a key is missing"),
        ("zoom: 0 0.5,", "a key is missing"),
        ("zoom: 4s", "'4s' has no value: .* as in '4s 0.5'"),
        ("zoom: 0 0.1, 0.2", "'0.2' begins with no time: give a frame"),
        ("zoom: 0 0.1, 0 0.2", "0 does not come after 0"),
        ("zoom: 0 0.1, 3s 0, 2s 0", "2s does not come after 3s"),
        ("zoom: 1.5 0.1", "a frame's number is whole, not 1.5: seconds are 1.5s"),
        ("zoom: 101% 0.1", "from 0% to 100%, not 101%"),
        (f"zoom: {'9' * 400}s 0.1", "is too large"),
        ("zoom: 0 0.1, 4s 0.2 inout", "no easing 'inout': did you mean in-out"),
        ("zoom: 0 0.1 hold, 4s 0.2", "'hold' after the first key has no effect"),
        ("zoom: 0 0.1, 4s 2*tt", "in '2\\*tt' no name 'tt': did you mean t?"),
        ("zoom: 0 4c", "in '4c' expected"),
        ("objective: 0 guide('a, 4s 3b", "a quote ' is not closed"),
        ("objective: 0 * 3b, 4s 4c", "'\\* 3b' begins with \\*: give a value"),
        ("objective: * 3b", "'\\* 3b' begins with \\*: give a value"),
        ("zoom: " + "0," * 1001, "at most 1,000 are read"),
        ("zoom: " + "0" * 10_000, "at most 10,000 are read"),
    ],
)
def test_texts_that_cannot_be_read(text, says):
    with pytest.raises(JaxdreamError, match=says) as caught:
        parse_curve(text)
    assert str(caught.value).startswith(("curve '", 'curve "'))
    assert text[:20] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_curves_by_name():
    texts = ["shift-x: 0 1, 50% 2", "objective: 3b", "step_size: t + 1"]
    found = parse_curves(texts, ALLOWED, timeline=Timeline(25, 10))
    assert list(found) == ["shift_x", "objective", "step_size"]
    assert found["shift_x"].setting is not None
    assert found["shift_x"].setting.count == 1
    assert depends_on_count(found.values())
    assert not depends_on_count(parse_curves(texts[1:], ALLOWED).values())
    assert parse_curves(texts[2], ALLOWED) == {"step_size": found["step_size"]}


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["zom: 0.1"], "curve 'zom: 0.1': nothing named 'zom' can have a curve: did you mean zoom"),
        (["shift: 1"], "did you mean shift_"),
        (["qqq: 1"], "there are zoom, rotate, shift_x, shift_y, damping, objective, step_size"),
        (["zoom: 0.1", "zoom: 0.2"], "there are two curves of zoom"),
        (["zoom: 0 0.1, 1s 2.0"], "zoom is a number from -0.99 to 0.99, not 2.0"),
        (["zoom: 1/0"], "'1/0' divides by 0"),
        (["zoom: 0 0, 9 t"], "at frame 25 zoom is a number from -0.99 to 0.99, not 1.0"),
        (["zoom: 1/f"], "at frame 0 '1/f' divides by 0"),
        (["zoom: 0 0.1, 2s 0, 30 0.1"], r"30 \(frame 30\) does not come after 2s \(frame 50\)"),
    ],
)
def test_curves_that_a_zoom_cannot_have(texts, says):
    with pytest.raises(JaxdreamError, match=says):
        parse_curves(texts, ALLOWED, timeline=Timeline(25, 100))
