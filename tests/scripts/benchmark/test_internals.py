"""What the benchmark reads from the graphs of networks."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmark import internals
from benchmark.internals import Subject
from jaxdream.models.googlenet import googlenet


def test_operations_of_a_small_network_counted_by_hand(tiny):
    # 3x3 over 3 channels to 4 at 24x30; pooled to 12x15, 3x3 over 4 channels to 5.
    forward = {"first": 2 * 24 * 30 * 27 * 4, "second": 2 * 12 * 15 * 36 * 5}
    assert internals.layer_flops(tiny.graph, "second", (24, 30)) == forward
    assert internals.step_flops(tiny.graph, "second", (24, 30)) == 2 * sum(forward.values())
    assert internals.layer_flops(tiny.graph, "relu", (24, 30)) == {"first": forward["first"]}


def test_operations_of_googlenet_are_those_published():
    # Szegedy et al. 2014, table 1, operations of the 3x3 and 7x7 convolutions: 34 and 360 million
    # multiply-adds for conv1 and conv2 (with its reduction), for pictures of 224x224.
    flops = internals.layer_flops(googlenet(), "pool2/3x3_s2", (224, 224))
    assert flops["conv1/7x7_s2"] == 2 * 112 * 112 * 147 * 64
    conv2 = flops["conv2/3x3_reduce"] + flops["conv2/3x3"]
    assert conv2 / 2e6 == pytest.approx(360, rel=0.02)


def test_random_weights_keep_activations_in_range():
    model = internals.load_subject("googlenet", None, "prob").network()
    image = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)
    act = model(model.preprocess(image)[None], layers=("conv2/3x3",))
    assert 1 < float(jnp.std(act["conv2/3x3"])) < 1000


def test_a_layer_is_timed_with_its_relu_and_computes_what_the_network_does(tiny, picture):
    weights = internals.random_weights(tiny.graph)
    subject = Subject("tiny", tiny.graph, tiny.preprocessing, "second", weights, "random")
    units = internals.layer_units(subject, picture.shape[:2])
    assert [unit.node_names for unit in units] == [["first", "relu"], ["pool"], ["second"]]
    assert units[0].input_shapes == ((1, 24, 30, 3),)
    model = subject.network()
    x = model.preprocess(picture)[None]
    expected = model(x, layers=("relu", "second"))
    for unit in units:
        forward, gradient = internals.compile_unit(subject, unit)
        y = forward(x)
        if unit.name in expected:
            np.testing.assert_allclose(y, expected[unit.name], rtol=1e-4, atol=1e-3)
        (slope,) = gradient(jnp.ones_like(y), y, x)
        assert slope.shape == x.shape
        x = y


def test_the_hosts_work_is_timed_and_not_the_step(tiny):
    weights = internals.random_weights(tiny.graph)
    subject = Subject("tiny", tiny.graph, tiny.preprocessing, "second", weights, "random")
    clock = internals.host_clock(subject)
    assert all(0 < clock() < 1 for _ in range(3))
