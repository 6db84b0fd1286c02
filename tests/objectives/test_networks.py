"""Objectives of several networks."""

import jax
import numpy as np
import pytest
from own_networks import SIDE, tiny_function, token_network, token_params
from tiny_network import weights_of

import jaxdream as jd
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.curves.objectives import balance
from jaxdream.execution.memory import bytes_per_pixel
from jaxdream.execution.octave import Octave
from jaxdream.execution.planner import plan_layouts
from jaxdream.models.graph_network import GraphNetwork
from jaxdream.models.weights.registry import CAFFE, MINUS_ONE_TO_ONE
from jaxdream.objectives import (
    boundary,
    channel,
    direction,
    interpolate,
    layer,
    logit,
    mask,
    neuron,
    of_network,
    strongest,
)  # fmt: skip
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.objectives.text import named_networks, parse_objective
from jaxdream.visualization.visualize import visualize

OPTIONS = {"steps": 2, "octaves": 1, "jitter": 3, "step_size": 5.0}
SMALL = {"size": 24, "steps": 3, "transforms": False, "learning_rate": 0.1}


@pytest.fixture(scope="module")
def other(tiny):
    """Another network: other weights, and another input."""
    weights = {name: -0.7 * array for name, array in weights_of(tiny).items()}
    return GraphNetwork("other", tiny.graph, MINUS_ONE_TO_ONE, "second", weights, "ab12")


@pytest.fixture(scope="module")
def mini():
    return jd.load_model("googlenet_mini")


def test_the_value_is_that_of_the_other_network(tiny, other, picture):
    objective = of_network(other, channel("second", 2))
    expected = channel("second", 2).value(other, picture)
    np.testing.assert_allclose(objective.value(tiny, picture), expected, rtol=1e-5)
    assert abs(float(expected - channel("second", 2).value(tiny, picture))) > 0.1
    both = layer("first") + 2 * objective
    expected = layer("first").value(tiny, picture) + 2 * expected
    np.testing.assert_allclose(both.value(tiny, picture), expected, rtol=1e-5)
    assert both.layers == ("first",)
    assert not both.local
    assert repr(both) == "first + 2*of_network(other, channel(second, 2))"


def test_the_gradient_is_that_of_the_other_network(tiny, other, picture):
    for objective in (layer("second"), layer("second") * layer("first"), -strongest("second", 2)):
        own = jd.objective_and_gradient(other, objective, picture)
        through = jd.objective_and_gradient(tiny, of_network(other, objective), picture)
        np.testing.assert_allclose(through[0], own[0], rtol=1e-5)
        np.testing.assert_allclose(through[1], own[1], atol=1e-4 * np.abs(own[1]).max())


def test_a_dream_by_the_other_network_alone(tiny, other, picture):
    by_other = jd.dream(0, other, picture, channel("second", 2), **OPTIONS)
    through = jd.dream(0, tiny, picture, of_network(other, channel("second", 2)), **OPTIONS)
    np.testing.assert_allclose(through, by_other, atol=0.02)
    assert np.abs(np.asarray(through) - picture).mean() > 1


def test_masks_and_nests(tiny, other, picture):
    half = np.zeros((24, 30), np.float32)
    half[:12] = 1
    offset = np.array([3, -4], np.int32)
    inner = mask(half) * layer("first")
    np.testing.assert_allclose(
        of_network(other, inner).value(tiny, picture, offset=offset),
        inner.value(other, picture, offset=offset), rtol=1e-5,
    )  # fmt: skip
    nested = of_network(other, layer("first") + of_network(tiny, layer("second") - boundary(3)))
    expected = layer("first").value(other, picture) + layer("second").value(tiny, picture)
    expected -= boundary(3).value(tiny, picture)
    np.testing.assert_allclose(nested.value(tiny, picture), expected, rtol=1e-5)
    with pytest.raises(jd.JaxdreamError, match="is not a sum over positions"):
        mask(half) * of_network(other, layer("first"))


def test_channels_are_chosen_by_the_other_network(tiny, other, picture):
    objective = layer("first") + of_network(other, strongest("second", 2))
    assert objective.depends_on_picture
    by_hand = of_network(other, strongest("second", 2))
    # At the start of the first step both see the same picture.
    one = OPTIONS | {"steps": 1, "jitter": 0}
    states = jd.iterate_dream(0, tiny, picture, by_hand, **one)
    value = float(list(states)[-1].info.value)
    assert value == pytest.approx(float(strongest("second", 2).value(other, picture)), rel=1e-4)
    assert np.isfinite(jd.dream(0, tiny, picture, objective, **one)).all()


def test_what_the_other_network_needs_is_planned_for(tiny, mini, picture):
    layers = ("inception_3a/output",)
    objective = of_network(mini, "inception_3a/output")
    assert objective.other_networks == ((mini, layers),)
    least = mini.graph.minimum_size(*layers)
    assert objective.minimum_size(tiny.graph) == least > tiny.graph.minimum_size("second")
    with pytest.warns(jd.JaxdreamWarning, match="dreaming 2 of the 3 octaves"):
        jd.dream(0, tiny, picture, objective, octaves=3, octave_scale=3.0, steps=1)
    with pytest.raises(jd.JaxdreamError, match=f"at least {least}x{least}"):
        objective.value(tiny, picture[: least - 1])
    both = layer("second") + objective
    (layout,) = plan_layouts([(24, 30)], 1, model=tiny, rule=StepRule(), objective=both, steps=1)
    assert layout.shape == (24, 30), "exact"
    parts = (bytes_per_pixel(Octave(tiny, one, layout, 1.0, StepRule())) for one in both.parts)
    together = bytes_per_pixel(Octave(tiny, both, layout, 1.0, StepRule()))
    assert together == pytest.approx(sum(parts))


def test_a_network_of_ones_own_beside_it(tiny, picture):
    function, weights = tiny_function(tiny)
    wrapped = jd.wrap(function, variables=weights, pixels=CAFFE)
    objective = layer("first") + 2 * of_network(wrapped, layer("second"))
    expected = (layer("first") + 2 * layer("second")).value(tiny, picture)
    np.testing.assert_allclose(objective.value(tiny, picture), expected, rtol=1e-4)
    swapped = of_network(tiny, layer("second")) - 1e-3 * boundary(3)
    through = jd.dream(0, wrapped, picture, swapped, **OPTIONS)
    alone = jd.dream(0, tiny, picture, layer("second") - 1e-3 * boundary(3), **OPTIONS)
    np.testing.assert_allclose(through, alone, atol=0.05)
    (layout,) = plan_layouts(
        [(24, 30)], 1, model=wrapped, rule=StepRule(), objective=swapped, steps=1
    )
    alone = Octave(tiny, layer("second"), layout, 1.0, StepRule())
    assert bytes_per_pixel(Octave(wrapped, swapped, layout, 1.0, StepRule())) == (
        bytes_per_pixel(alone)
    )


def test_another_network_of_one_size_decides_the_size(tiny, picture):
    tokens = jd.wrap(token_network, variables=token_params(), size=SIDE)
    objective = layer("second") + of_network(tokens, neuron("mixed", 2, token=4))
    assert objective.fixed_size(tiny.graph) == (SIDE, SIDE)
    assert objective.nearest_size(tiny.graph, (24, 30)) == (SIDE, SIDE)
    made = visualize(0, tiny, objective, steps=2)
    assert made.shape == (SIDE, SIDE, 3)
    assert np.isfinite(jd.dream(0, tiny, made, objective, octaves=1, steps=1)).all()
    for fails in (
        lambda: jd.dream(0, tiny, picture, objective),
        lambda: jd.plan_dream(tiny, (24, 30), objective),
        lambda: visualize(0, tiny, objective, size=24),
        lambda: objective.value(tiny, picture),
    ):
        with pytest.raises(jd.JaxdreamError, match="the network takes 12x12 only"):
            fails()
    means = balance(tiny, [objective, layer("first")], picture)
    assert np.isfinite(means).all()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_each_network_has_its_own_precision(tiny, other, picture, precision):
    exact = of_network(other, layer("second"))
    rough = of_network(other.with_precision(precision), layer("second"))
    values = [float(one.value(tiny, picture)) for one in (rough, exact)]
    assert values[0] == pytest.approx(values[1], rel=0.05)
    assert values[0] != values[1]
    low = tiny.with_precision(precision)
    np.testing.assert_array_equal(exact.value(low, picture), exact.value(tiny, picture))
    assert np.isfinite(jd.dream(0, low, picture, exact, **OPTIONS)).all()
    assert np.isfinite(visualize(0, low, exact, **SMALL)).all()


def test_several_pictures_share_the_weights(tiny, other):
    each = [
        layer("first") + w * of_network(other, channel("second", i)) for i, w in enumerate((2, 3))
    ]
    keys = jax.random.split(jax.random.key(0), 2)
    together = visualize(keys, tiny, each, **SMALL)
    for i in (0, 1):
        alone = visualize(keys[i : i + 1], tiny, each[i], **SMALL)
        np.testing.assert_allclose(together[i], alone, atol=0.5)


def test_a_picture_of_another_network(tiny, other):
    options = SMALL | {"steps": 20}
    through = visualize(0, tiny, of_network(other, channel("second", 2)), **options)
    np.testing.assert_allclose(
        through, visualize(0, other, channel("second", 2), **options), atol=0.5
    )
    morph = interpolate(channel("second", 1), of_network(other, channel("second", 2)))
    pictures = visualize(0, tiny, [morph] * 3, diversity=0.0, **SMALL)
    assert np.abs(np.asarray(pictures[0] - pictures[2])).mean() > 1
    differing = visualize(0, tiny, [of_network(other, "second")] * 2, diversity=1.0, **SMALL)
    assert np.isfinite(differing).all()


def test_networks_in_a_text(mini):
    text = (
        "0.5*4c + 2*of_network(googlenet_mini, 3b - l1(4a)) - of_network('googlenet_mini', banana)"
    )
    assert named_networks(text) == ("googlenet_mini",)
    files = ObjectiveFiles()
    text = text.replace("banana", "class(banana)")
    objective = parse_objective(text, mini, files=files)
    shown = "of_network(googlenet_mini, 3b - l1(4a)) - of_network(googlenet_mini, logit(954))"
    assert repr(objective) == f"0.5*4c + 2*{shown}"
    assert repr(parse_objective(repr(objective), mini)) == repr(objective)
    first, second = (model for model, _ in objective.other_networks)
    assert first is second, "read once"
    assert files.by_name() == {"googlenet_mini": mini.weights_sha256}
    assert files.sha256 == {}


def test_names_within_are_those_of_the_other_network(tiny):
    objective = parse_objective("second + of_network(googlenet_mini, 4c:3)", tiny)
    assert objective.other_networks[0][1] == ("4c",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("of_network(googlenet_mni, 4c)", "no model 'googlenet_mni': did you mean googlenet_mini"),
        ("of_network('tests.own_networks:own_net', 4c)", "a text names jaxdream's networks only"),
        ("of_network('weights.safetensors', 4c)", "no model 'weights.safetensors'"),
        ("of_network(auto, 4c)", "no model 'auto'"),
        ("of_network(googlenet_mini, second)", "no layer 'second'"),
        ("of_network(googlenet_mini, 4c) + 4c", "no layer '4c': .*second"),
        ("of_network(googlenet_mini, 4c:9999)", "has channels 0 to "),
        ("of_network(googlenet_mini)", r"expected ',' before '\)'"),
        ("of_network(googlenet_mini, 3)", "only a number"),
        ("of_network(3, 4c)", "expected the name of a network before '3, 4c"),
        ("of_netwrk(googlenet_mini, 4c)", "no function 'of_netwrk': the nearest is of_network"),
    ],
)
def test_texts_that_cannot_be_read(tiny, text, message):
    with pytest.raises(jd.JaxdreamError, match=message) as error:
        parse_objective(text, tiny)
    assert "\n" not in str(error.value)


def test_the_other_network_is_checked_at_once(other):
    with pytest.raises(jd.JaxdreamError, match="no layer 'secnd'"):
        of_network(other, "secnd")
    with pytest.raises(jd.JaxdreamError, match="has no classifier"):
        of_network(other, logit(3))
    with pytest.raises(jd.JaxdreamError, match="direction has 3"):
        of_network(other, direction("first", np.ones(3)))
    with pytest.raises(jd.JaxdreamError, match=r"of_network.* looks at the picture itself"):
        of_network(other, layer("first"))({})
