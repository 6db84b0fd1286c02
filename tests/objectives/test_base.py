import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.objectives import channel_energy, custom, layer, logit

ACTS = {"a": jnp.array([[[1.0, -2.0]]]), "b": jnp.array([3.0])}


def test_arithmetic():
    objective = layer("a") + 0.5 * layer("b") - layer("b") * 2
    assert objective(ACTS) == pytest.approx(2.5 + 0.5 * 4.5 - 2 * 4.5)
    assert (-layer("a"))(ACTS) == -2.5
    assert (layer("a") / 2)(ACTS) == 1.25
    assert (2 * (layer("a") + layer("b")))(ACTS) == 14
    assert sum([layer("a"), layer("b")])(ACTS) == 7
    assert objective.layers == ("a", "b")
    assert repr(objective) == "a + 0.5*b - 2*b"
    assert repr(layer("a") - (layer("b") - layer("a"))) == "a - (b - a)"
    assert repr(2 * (layer("a") + layer("b"))) == "2*(a + b)"


@pytest.mark.parametrize("number", [np.float32(2), np.float64(2), np.array(2), jnp.array(2.0)])
def test_numbers_of_numpy_and_jax_are_weights(number):
    for objective in (number * layer("a"), layer("a") * number):
        assert objective(ACTS) == 5


def test_a_product_has_its_weights_in_front():
    objective = (2 * layer("a")) * (0.5 * layer("b") * (3 * layer("a")))
    assert objective(ACTS) == 3 * 2.5 * 4.5 * 2.5
    assert objective.layers == ("a", "b")
    assert repr(objective) == "3*a*b*a"
    assert jax.tree.leaves(objective) == [3]
    negative = layer("a") + (-0.0 * layer("a")) * layer("b")
    assert repr(negative) == "a - 0*a*b"
    assert np.signbit(jax.tree.leaves(negative)[0])


def test_only_sums_of_local_objectives_are_local():
    assert (layer("a") - 2 * layer("b")).local
    assert not (layer("a") * layer("b")).local
    assert not (layer("a") + 2 * logit(3)).local


@pytest.mark.parametrize("wrong", ["a", None, [1]])
def test_other_types_are_a_type_error(wrong):
    for operation in (lambda: layer("a") + wrong, lambda: wrong * layer("a")):
        with pytest.raises(TypeError):
            operation()


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda a: a + 1, "adding a number to an objective changes no picture"),
        (lambda a: a - 1.5, "adding a number"),
        (lambda a: a / 0, "divided by 0"),
        (lambda a: a * float("nan"), "must be finite and within float32's range, not nan"),
        (lambda a: a * 1e39, "not 1e.39"),
        (lambda a: (1e30 * a) * (1e30 * a), "not inf"),
        (lambda a: a / 1e-320, "must be finite"),
    ],
)
def test_senseless_numbers_are_refused(operation, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        operation(layer("a"))


def test_weights_are_leaves_and_names_are_static():
    objective = layer("a") + 0.5 * layer("b")
    assert jax.tree.leaves(objective) == [0.5]
    gradient = jax.grad(lambda objective: objective(ACTS))(objective)
    assert jax.tree.leaves(gradient) == [4.5]


def test_weights_can_be_traced():
    def value(first, second):
        objective = (first * layer("a")) * (second * layer("b")) / first
        assert "?" in repr(objective)
        return objective(ACTS)

    assert jax.jit(value)(2.0, 3.0) == pytest.approx(3 * 2.5 * 4.5)
    assert jax.grad(value, argnums=1)(2.0, 3.0) == pytest.approx(2.5 * 4.5)


def test_another_weight_does_not_compile_again():
    traces = []

    @jax.jit
    def value(objective):
        traces.append(objective)
        return objective(ACTS)

    assert value(0.5 * layer("b")) == 2.25
    assert value(2.0 * layer("b")) == 9
    assert len(traces) == 1
    value(2.0 * layer("a"))
    assert len(traces) == 2


def test_the_value_on_a_picture(tiny, picture):
    second = tiny(tiny.preprocess(picture)[None], layers=("second",))["second"]
    expected = float(0.5 * jnp.square(second).sum())
    assert layer("second").value(tiny, picture) == pytest.approx(expected, rel=1e-5)
    assert (2 * layer("alias")).value(tiny, picture) == pytest.approx(2 * expected, rel=1e-5)


@pytest.mark.parametrize(
    ("objective", "size", "message"),
    [
        (layer("secnd"), (24, 24, 3), "no layer 'secnd': the nearest is second"),
        (2 * channel_energy("second", 5), (24, 24, 3), "second has channels 0 to 4, not 5"),
        (layer("second"), (1, 9, 3), "9x1 pixels and second needs at least 2x2"),
    ],
)
def test_a_value_that_there_cannot_be_is_refused(tiny, objective, size, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        objective.value(tiny, np.zeros(size, np.float32))


def test_the_same_function_is_compiled_once():
    @custom("b")
    def total(x):
        return x.sum()

    traces = []

    @jax.jit
    def value(objective):
        traces.append(objective)
        return objective(ACTS)

    assert value(total) == 3
    assert value(custom("b")(total.function)) == 3
    assert len(traces) == 1
