import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_networks import SIDE, TOKENS, own_net, tiny_function, token_network, token_params

import jaxdream as jd
from jaxdream import JaxdreamError
from jaxdream.batches import plan_batches
from jaxdream.curves.objectives import balance
from jaxdream.execution.tiles import can_tile
from jaxdream.models.regions import full_region
from jaxdream.models.weights.registry import CAFFE
from jaxdream.objectives import (
    caricature,
    channel,
    cosine,
    direction,
    direction_neuron,
    guide,
    l1,
    layer,
    logit,
    mask,
    neuron,
    strongest,
    style,
    total_variation,
)
from jaxdream.objectives.text import as_objective
from jaxdream.recipe import provenance

VECTOR = np.arange(6.0)  # of the channels of tokens


@pytest.fixture(scope="module")
def wrapped(tiny):
    """The tiny network, of which nothing but a function is known."""
    function, weights = tiny_function(tiny)
    return jd.wrap(function, variables=weights, pixels=CAFFE)


@pytest.fixture(scope="module")
def tokens():
    """A network of tokens, which takes pictures of one size."""
    return jd.wrap(token_network, variables=token_params(), size=SIDE)


@pytest.fixture
def small():
    """A picture of that size."""
    return np.random.default_rng(2).uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32)


def test_activations_are_those_of_the_network(tiny, wrapped, picture):
    x = tiny.preprocess(picture)[None]
    layers = ("second", "data", "relu", "pool")
    expected, got = (model(x, layers=layers) for model in (tiny, wrapped))
    assert list(got) == list(layers)
    for name in layers:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-4, atol=1e-3)


def test_values_and_gradients_are_those_of_the_network(tiny, wrapped, picture):
    half = np.zeros((5, 7), np.float32)
    half[:2] = 1
    offset = np.array([4, -6], np.int32)
    found = jax.jit(
        lambda model, objective: jd.objective_and_gradient(model, objective, picture, offset=offset)
    )
    for objective in (
        # Weights that make each of them count.
        mask(half) * layer("second") + 0.5 * layer("relu") + 30 * total_variation(),
        1e-2 * caricature(tiny, picture[::-1], "second") + direction("first", np.arange(4.0)),
        guide(tiny, picture[:9], "relu") + 1e5 * channel("second", 2) * channel("first", 1),
        neuron("second", 3, position=(0.2, 0.9)) + 1e-3 * strongest("second", 2),
    ):
        (value, gradient), (got, got_gradient) = (
            found(model, objective) for model in (tiny, wrapped)
        )
        np.testing.assert_allclose(got, value, rtol=1e-4)
        largest = float(jnp.abs(gradient).max())
        np.testing.assert_allclose(got_gradient, gradient, rtol=1e-3, atol=1e-4 * largest)


@pytest.mark.parametrize("text", ["second", "strongest(second, 2, every_octave)"])
def test_a_dream_is_that_of_the_network_at_exact_sizes(tiny, wrapped, picture, text):
    options = {"objective": text, "steps": 2, "octaves": 2, "jitter": 5}
    exact = jax.jit(lambda image: jd.dream(0, tiny, image, **options))(picture)
    got = jd.dream(0, wrapped, picture, **options)
    # A channel that is chosen at another size of the picture may be another one.
    np.testing.assert_allclose(got, exact, atol=0.02)


def test_the_smallest_picture_is_found_out(tiny, wrapped):
    for name in ("first", "second"):
        assert wrapped.graph.minimum_size(name) == tiny.graph.minimum_size(name)
    for least in (5, 12, 20, 64):
        window = jnp.ones((least, least, 3, 1))

        def valid(x, window=window):
            numbers = ("NHWC", "HWIO", "NHWC")
            return jax.lax.conv_general_dilated(
                x, window, (1, 1), "VALID", dimension_numbers=numbers
            )

        assert jd.wrap(valid).graph.minimum_size("output") == least


def test_too_small_pictures_and_octaves(wrapped):
    with pytest.raises(JaxdreamError, match="1x1 pixels and the layer needs at least 2x2"):
        jd.dream(0, wrapped, np.zeros((1, 1, 3), np.float32))
    grey = np.random.default_rng(0).uniform(90, 99, (3, 3, 3)).astype(np.float32)
    with pytest.warns(jd.JaxdreamWarning, match="dreaming 2 of the 4 octaves"):
        jd.dream(0, wrapped, grey, steps=1, jitter=0)


def test_programs_have_the_exact_size(wrapped):
    plans = jd.plan_dream(wrapped, (41, 53), octaves=2)
    assert [(plan.shape, plan.tiles) for plan in plans] == [((29, 38), 1), ((41, 53), 1)]
    batches = plan_batches([(20, 30), (21, 30), (20, 30)], model=wrapped, octaves=1)
    assert [(batch.pictures, batch.exact) for batch in batches] == [((0, 2), True), ((1,), True)]
    assert not can_tile(wrapped, layer("second"))
    x = jnp.zeros((1, 8, 8, 3))
    with pytest.raises(JaxdreamError, match="it takes whole pictures only"):
        wrapped(x, layers=("first",), region=full_region(jnp.array([5, 5])))


def no_flow(first, _):
    """The flow between frames that do not move."""
    return np.zeros((*first.shape[:2], 2), np.float32)


def test_all_that_takes_a_network_takes_it(wrapped, picture, tmp_path):
    one = {"steps": 1, "octaves": 1}
    alone = jd.dream(3, wrapped, picture, **one)
    keys = jax.vmap(jax.random.key)(jnp.array([3, 4]))
    (batched, other) = jd.dream_batch(keys, wrapped, [picture, picture[:20]], **one)
    np.testing.assert_allclose(batched, alone, atol=0.02)
    assert other.shape == (20, 30, 3)
    settings = jd.DreamSettings(**one)
    variants = [jd.Variant(settings=settings, key=key) for key in (3, 4)]
    np.testing.assert_allclose(jd.dream_variants(wrapped, picture, variants)[0], alone, atol=0.02)
    states = jd.iterate_zoom(3, wrapped, picture, frames=2, **one)
    assert sum(state.is_finished for state in states) == 2
    frames = [picture.astype(np.uint8), picture[:, ::-1].astype(np.uint8)]
    assert len(list(jd.iterate_video(3, wrapped, frames, flow=no_flow, **one))) > 0
    jd.write_image(tmp_path / "in.png", picture)
    (result,) = jd.dream_files(wrapped, [tmp_path / "in.png"], tmp_path / "out", **one)
    assert result.error is None
    assert jd.read_recipe(tmp_path / "out" / "in.png").provenance.model == "activations"
    assert jd.use_look(wrapped, "classic")[1] == "second"


def test_what_does_not_fit_is_refused(wrapped, picture):
    with pytest.raises(JaxdreamError, match="it cannot be computed in tiles: choose a smaller"):
        jd.dream(0, wrapped, picture, octaves=1, steps=1, memory=1)


def test_memory_is_estimated_from_all_that_is_computed(tiny, wrapped):
    for name in ("first", "second"):
        least = tiny.graph.floats_per_pixel([name])
        assert least - 3 < wrapped.graph.floats_per_pixel([name]) < 4 * least


def test_is_a_pytree_whose_leaves_are_its_arrays(wrapped, picture):
    traces = []

    @jax.jit
    def run(model, x):
        traces.append(model)
        return model(x, layers=("second",))["second"].sum()

    x = wrapped.preprocess(picture)[None]
    first, second = run(wrapped, x), run(jax.tree.map(lambda w: 2 * w, wrapped), x)
    assert first != second
    assert len(traces) == 1
    assert len(jax.tree.leaves(wrapped)) == 4
    gradient = jax.grad(lambda model: run(model, x), allow_int=True)(wrapped)
    assert all(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(gradient))


def test_a_module_goes_through_transformations(picture):
    model = jd.wrap(own_net())
    pictures = np.stack([picture, picture[::-1]])

    def value(model, image):
        return layer("blocks/1/second.2").value(model, image)

    together = jax.jit(jax.vmap(jax.value_and_grad(value, argnums=1), (None, 0)))
    values, gradients = together(model, pictures)
    for number, image in enumerate(pictures):
        alone, gradient = jax.value_and_grad(value, argnums=1)(model, image)
        np.testing.assert_allclose(values[number], alone, rtol=1e-4)
        largest = float(jnp.abs(gradient).max())
        np.testing.assert_allclose(gradients[number], gradient, atol=1e-4 * largest)
    assert float(jnp.abs(gradients[0]).max()) > 0


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_with_precision(wrapped, picture, precision):
    half = wrapped.with_precision(precision)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(half)} == {precision}
    (value, gradient), (got, got_gradient) = (
        jd.objective_and_gradient(model, layer("second"), picture) for model in (wrapped, half)
    )
    assert got_gradient.dtype == jnp.float32
    np.testing.assert_allclose(got, value, rtol=0.05)
    difference = float(jnp.abs(got_gradient - gradient).mean() / jnp.abs(gradient).mean())
    assert 0 < difference < 0.1
    with pytest.raises(JaxdreamError, match="load it again"):
        half.with_precision("float32")


def test_a_function_without_arrays_has_no_other_precision():
    model = jd.wrap(lambda x: {"twice": 2 * x}, name="doubled")
    with pytest.raises(JaxdreamError, match="doubled has no arrays that could be bfloat16"):
        model.with_precision("bfloat16")


def test_a_network_of_one_size(tokens, small, picture):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jd.JaxdreamWarning)  # one octave
        out = jd.dream(0, tokens, small, steps=2)
    assert out.shape == small.shape
    assert jd.visualize(0, tokens, layer("mixed"), steps=1).shape == small.shape
    wrong = "30x24 pixels and the network takes 12x12 only: resize it"
    for fails in (
        lambda: jd.dream(0, tokens, picture),
        lambda: jd.dream_batch(0, tokens, [picture]),
        lambda: jd.plan_dream(tokens, (24, 30)),
        lambda: guide(tokens, picture, "mixed"),
        lambda: jd.visualize(0, tokens, layer("mixed"), size=(24, 30)),
        lambda: tokens(picture[None], layers=("mixed",)),
    ):
        with pytest.raises(JaxdreamError, match=wrong):
            fails()
    # What a picture excites, and how strong objectives are, is seen at its size.
    means = balance(tokens, [layer("mixed"), layer("tokens")], picture)
    assert means.shape == (2,)


def test_what_tokens_can_do(tokens, small, tmp_path):
    activations = tokens(tokens.preprocess(small)[None], layers=("mixed", "pooled"))
    mixed, pooled = activations["mixed"][0], activations["pooled"][0]
    best = mixed[jnp.argmax(mixed @ mixed.T, axis=1)]  # the guide's token for each
    lengths = jnp.linalg.norm(mixed, axis=1) * np.linalg.norm(VECTOR)
    for objective, expected in (
        (layer("mixed"), 0.5 * (mixed**2).sum()),
        (channel("mixed", 2), mixed[:, 2].mean()),
        (channel("pooled", 2), pooled[2]),
        ("mixed:4", 0.5 * (mixed[:, 4] ** 2).sum()),
        (neuron("mixed", 2, token=7), mixed[7, 2]),
        ("neuron(mixed, 2, 7)", mixed[7, 2]),
        (direction("mixed", np.arange(6.0)), (mixed @ np.arange(6.0)).sum()),
        (guide(tokens, small, "mixed"), (mixed * best).sum()),
        (caricature(tokens, small, "mixed"), (mixed**2).sum()),
        (strongest("mixed", 6), 0.5 * (mixed**2).sum()),
        (l1("pooled"), jnp.abs(pooled).sum()),
        (direction("mixed", VECTOR, mean=True), (mixed @ VECTOR).mean()),
        (cosine("mixed", VECTOR), (mixed @ VECTOR / lengths).sum()),
        (direction_neuron("mixed", VECTOR, token=7), mixed[7] @ VECTOR),
        (
            direction_neuron("mixed", VECTOR, token=7, power=2),
            mixed[7] @ VECTOR * max(0.1, float((mixed @ VECTOR / lengths)[7])) ** 2,
        ),
        (style(tokens, small, "mixed"), 0.0),
        (caricature(tokens, small, "mixed", power=2, mean=True), (mixed**2).sum() / TOKENS),
    ):
        value = as_objective(objective, tokens).value(tokens, small)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-9)
    assert repr(as_objective("neuron(mixed, 2, 7)", tokens)) == "neuron(mixed, 2, 7)"
    np.save(tmp_path / "v.npy", VECTOR)
    text = f'direction_neuron("{tmp_path / "v.npy"}", mixed, 7, power=2)'
    assert repr(as_objective(text, tokens)) == "direction_neuron(mixed, 7, power=2)"


def test_the_gradient_of_a_token(tokens, small):
    objective = neuron("tokens", 2, token=4)
    _, gradient = jd.objective_and_gradient(tokens, objective, small)
    inside = np.zeros((SIDE, SIDE), bool)
    inside[4:8, 4:8] = True  # its patch
    assert (np.abs(gradient).max(axis=-1) > 0).tolist() == inside.tolist()


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (neuron("mixed", 2), r"tokens, without .* as in neuron\(mixed, 2, 0\)"),
        (neuron("mixed", 2, token=TOKENS), "mixed has tokens 0 to 8, not 9"),
        (neuron("data", 2, token=0), r"data is no sequence of tokens: give a position as \(x, y\)"),
        (direction_neuron("mixed", VECTOR), r'as in direction_neuron\("FILE", mixed, 0\)'),
        (direction_neuron("mixed", VECTOR, token=9), "mixed has tokens 0 to 8, not 9"),
        (neuron("pooled", 2), "pooled has no width and height, which a neuron's position needs"),
        (total_variation("mixed"), "mixed has no width and height, which total variation needs"),
        (mask(np.ones((2, 2))) * layer("mixed"), "mixed has no positions that a mask"),
        (channel("mixed", 6), "mixed has channels 0 to 5, not 6"),
        (logit(0), "this network has no classifier"),
        (layer("mixd"), r"no layer 'mixd': the nearest is mixed"),
        (layer("zzz"), "no layer 'zzz': this network has others, such as data, tokens, mixed"),
    ],
)
def test_what_a_network_of_tokens_has_not(tokens, small, objective, message):
    with pytest.raises(JaxdreamError, match=message):
        jd.objective_and_gradient(tokens, objective, small)


def test_pictures_that_differ_in_a_layer_of_tokens(tokens):
    assert tokens.graph.last_map(("pooled",), (SIDE, SIDE)) == "mixed"
    one, other = jd.visualize(0, tokens, [channel("pooled", 1)] * 2, steps=2, diversity=1.0)
    assert float(jnp.abs(one - other).max()) > 0


def test_a_recipe_knows_it_by_its_arrays(wrapped):
    found = provenance(wrapped.with_name("mine:net"))
    assert (found.model, found.precision) == ("mine:net", "float32")
    assert found.weights_sha256 == wrapped.weights_sha256
    assert len(found.weights_sha256) == 64


def test_layers(wrapped):
    second = wrapped.layers()[-1]
    assert (second.name, second.channels, second.shape) == ("second", 5, (112, 112, 5))
    assert (second.stride, second.receptive_field) == (None, None)
    assert wrapped.default_layer == "second"


def test_filters_are_those_of_known_networks(wrapped):
    with pytest.raises(JaxdreamError, match="which kernels of activations see the picture"):
        jd.first_filters(wrapped)


def test_repr_is_one_line(wrapped):
    assert repr(wrapped) == "Network('activations', 297 parameters, float32)"
