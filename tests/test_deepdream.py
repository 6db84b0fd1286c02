import pydoc
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import compilations

import jaxdream as jd
from jaxdream.objectives import layer
from jaxdream.settings import describe

SMALL = {"steps": 3, "octaves": 2, "jitter": 4}


def by_the_book(model, image, offsets, *, steps, octaves, step_size=1.5, clip=True):
    """The notebook's loops, written down plainly."""
    bases = [jnp.asarray(image)]
    for _ in range(octaves - 1):
        height, width = (round(n / 1.4) for n in bases[-1].shape[:2])
        bases.append(jd.resize(bases[-1], (height, width)))
    detail = jnp.zeros_like(bases[-1])
    offsets = iter(offsets)
    x = bases[-1]
    for base in bases[::-1]:
        x = base + jd.resize(detail, base.shape[:2])
        for _ in range(steps):
            ox, oy = next(offsets)
            x = jnp.roll(x, (oy, ox), (0, 1))
            _, g = jd.objective_and_gradient(model, layer("second"), x)
            x = jnp.roll(x + step_size / jnp.abs(g).mean() * g, (-oy, -ox), (0, 1))
            x = jnp.clip(x, 0, 255) if clip else x
        detail = x - base
    return x


@pytest.mark.parametrize("clip", [True, False])
def test_is_the_notebooks_loop(tiny, picture, clip):
    offsets = np.random.default_rng(0).integers(-4, 5, (6, 2))
    out = jd.dream(None, tiny, picture, offsets=offsets, clip=clip, step_size=20.0, **SMALL)
    expected = by_the_book(tiny, picture, offsets, steps=3, octaves=2, step_size=20.0, clip=clip)
    np.testing.assert_allclose(out, expected, atol=0.02)
    assert np.abs(np.asarray(out) - picture).mean() > 5
    if clip:
        assert float(out.min()) >= 0
        assert float(out.max()) <= 255
    else:
        assert float(out.max()) > 255


def test_key_decides_the_offsets(tiny, picture):
    key = jax.random.key(5)
    offsets = jd.draw_offsets(key, count=6, jitter=4)
    keyed = np.asarray(jd.dream(key, tiny, picture, **SMALL))
    np.testing.assert_array_equal(keyed, jd.dream(key, tiny, picture, **SMALL))
    np.testing.assert_array_equal(keyed, jd.dream(None, tiny, picture, offsets=offsets, **SMALL))
    assert not np.array_equal(keyed, jd.dream(jax.random.key(6), tiny, picture, **SMALL))


@pytest.mark.parametrize("one_key", [True, False])
def test_a_picture_in_a_batch_dreams_as_it_would_alone(tiny, picture, one_key):
    neighbours = np.stack([picture, 255 - picture, picture * 0.1])
    key = jax.random.key(0)
    keys = jnp.stack([jax.random.fold_in(key, i) for i in range(3)])
    batch = jd.dream(key if one_key else keys, tiny, neighbours, **SMALL)
    for i in range(3):
        alone = jd.dream(keys[i], tiny, neighbours[i], **SMALL)
        np.testing.assert_allclose(batch[i], alone, atol=0.01)


def test_offsets_for_a_batch_are_shared_or_one_set_each(tiny, picture):
    pictures = np.stack([picture, 255 - picture])
    offsets = np.random.default_rng(0).integers(-4, 5, (2, 6, 2))
    shared = jd.dream(None, tiny, pictures, offsets=offsets[0], **SMALL)
    own = jd.dream(None, tiny, pictures, offsets=offsets, **SMALL)
    np.testing.assert_allclose(shared[0], own[0], atol=1e-3)
    assert np.abs(np.asarray(shared[1] - own[1])).max() > 0.1


def test_scan_is_the_same_dream(tiny, picture):
    key = jax.random.key(0)
    loop = jd.dream(key, tiny, picture, scan=False, **SMALL)
    np.testing.assert_allclose(jd.dream(key, tiny, picture, scan=True, **SMALL), loop, atol=0.01)


def test_an_optax_optimizer_carries_its_state_through_an_octave(tiny, picture):
    optimizer = optax.adam(1.0)
    offsets = np.zeros((3, 2), int)
    options = {"steps": 3, "octaves": 1, "optimizer": optimizer, "offsets": offsets}
    out = jd.dream(None, tiny, picture, **options)
    state = jd.start_ascent(picture, optimizer=optimizer)
    for offset in offsets:
        state, _ = jd.ascent_step(tiny, layer("second"), state, offset, optimizer=optimizer)
    np.testing.assert_allclose(out, state.image, atol=0.01)
    scanned = jd.dream(None, tiny, picture, scan=True, **options)
    np.testing.assert_allclose(out, scanned, atol=0.01)


def test_states_on_the_way(tiny, picture):
    states = list(jd.iterate_dream(jax.random.key(0), tiny, picture, scan=False, **SMALL))
    assert [(s.octave, s.step) for s in states] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    assert states[2].info.value > states[0].info.value
    assert states[0].at_octave.shape == (17, 21, 3)
    assert states[-1].done == 1
    assert states[2].done == pytest.approx(17 * 21 / (17 * 21 + 24 * 30))
    np.testing.assert_allclose(states[-1].at_full_size(picture), states[-1].at_octave, atol=1e-3)
    # Half way, the picture is the full-size one with the detail so far.
    early = states[2].at_full_size(picture)
    assert early.shape == picture.shape
    assert 0.1 < np.abs(early - picture).mean() < np.abs(states[-1].at_octave - picture).mean() * 2


def test_another_dream_of_the_same_shape_compiles_nothing(tiny, picture):
    jd.dream(jax.random.key(0), tiny, picture, **SMALL)
    with compilations() as names:
        jd.dream(jax.random.key(1), tiny, picture * 0.5, step_size=3.0, **SMALL)
        jd.dream(jax.random.key(1), tiny, picture, layer("second"), step_size=3.0, **SMALL)
        jd.dream(jax.random.key(1), tiny, picture, layer("second"), clip=True, **SMALL)
    assert names == []


@pytest.mark.parametrize("optimizer", ["classic", "adam", optax.adam(2.0)])
def test_an_octave_compiles_one_program(tiny, picture, optimizer):
    options = {"optimizer": optimizer, "objective": layer("alias")}
    with compilations() as names:
        jd.dream(jax.random.key(0), tiny, picture[:-3], **options, **SMALL)
    assert names.count("jit(_run_steps)") == SMALL["octaves"]


def test_a_state_is_a_pytree_of_arrays(tiny, picture):
    (state,) = jd.iterate_dream(jax.random.key(0), tiny, picture, steps=1, octaves=1)
    assert all(isinstance(leaf, jax.Array | np.ndarray) for leaf in jax.tree.leaves(state))
    doubled = jax.tree.map(lambda x: 2 * x, state)
    assert (doubled.octave, doubled.steps, doubled.done) == (0, 1, 1.0)
    np.testing.assert_array_equal(doubled.at_octave, 2 * state.at_octave)


@pytest.mark.parametrize("smooth", [0.0, 1.0])  # padded and exact
def test_one_type_comes_out_whatever_goes_in(tiny, picture, smooth):
    for image in (picture, np.stack([picture, picture])):
        *_, state = jd.iterate_dream(0, tiny, image, steps=1, octaves=1, smooth=smooth)
        for out in (state.at_octave, state.at_full_size(image)):
            assert isinstance(out, jax.Array)
            assert out.shape == image.shape


def test_under_jit_an_octave_is_one_loop(tiny, picture):
    def dream(image, **options):
        return jd.dream(jax.random.key(0), tiny, image, steps=5, octaves=2, **options)

    image = jnp.asarray(picture)
    looped, unrolled = (
        jax.jit(partial(dream, scan=scan)).lower(image).as_text() for scan in (None, False)
    )
    # Drawing the jitter is a loop in both.
    assert looped.count("stablehlo.while") > unrolled.count("stablehlo.while")
    assert unrolled.count("call @_run_steps") > looped.count("call @_run_steps")


def test_settings_as_an_object_by_name_or_both(tiny, picture):
    settings = jd.DreamSettings(steps=2, octaves=1, jitter=3)
    out = jd.dream(7, tiny, picture, settings=settings, step_size=4.0)
    key = jax.random.key(7)
    same = jd.dream(key, tiny, picture, steps=2, octaves=1, jitter=3, step_size=4.0)
    np.testing.assert_array_equal(out, same)
    assert jd.Compute(scan=True) == jd.Compute(scan=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'step': did you mean 'step"):
        jd.dream(0, tiny, picture, step=3)


def test_help_shows_every_setting():
    text = pydoc.render_doc(jd.dream)
    for cls in (jd.DreamSettings, jd.Compute):
        for name, known in describe(cls).items():
            assert f" {name}: " in text
            assert known.help[:20] in text
    assert "{settings}" not in text


def test_text_is_an_objective(tiny, picture):
    out = jd.dream(0, tiny, picture, "second + 0.5*relu", **SMALL)
    objective = layer("second") + 0.5 * layer("relu")
    np.testing.assert_array_equal(out, jd.dream(0, tiny, picture, objective, **SMALL))


def test_octaves_too_small_for_the_layer_are_left_out_and_said(tiny, picture):
    small = picture[:6, :6]
    with pytest.warns(
        UserWarning, match="dreaming 4 of the 9 octaves asked for: .* under the 2 pix"
    ):
        out = jd.dream(jax.random.key(0), tiny, small, octaves=9, steps=1)
    np.testing.assert_array_equal(out, jd.dream(jax.random.key(0), tiny, small, octaves=4, steps=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": layer("secnd")}, "no layer 'secnd': the nearest is second"),
        ({"steps": 0}, "steps is a whole number from 1"),
        ({"steps": 10**9}, "steps is a whole number from 1 to 1,000,000, not 1000000000"),
        ({"octaves": 10**9}, "octaves is a whole number from 1 to 100"),
        ({"jitter": -1}, "jitter is a whole number from 0"),
        ({"step_size": float("nan")}, "step_size is a number from"),
        ({"optimizer": "adm"}, "no optimizer 'adm': the nearest are adam"),
        ({"optimizer": 3}, "optimizer is the name of one or an optax optimiser, not 3"),
        ({"optimizer": optax.adam(1.0), "step_size": 2.0}, "give an optax optimiser its learning"),
        ({"steps": 10**6, "octaves": 20}, "1,000,000 steps in 20 octaves are 20,000,000 steps"),
        ({"shard": "columns"}, "shard cannot be 'columns'"),
        ({"offsets": np.zeros((5, 2), int)}, r"this dream takes \(40, 2\)"),
    ],
)
def test_bad_settings_say_so(tiny, options, message):
    image = np.full((64, 64, 3), 100, np.float32)
    for function in (jd.dream, jd.iterate_dream):  # when it is called, not at the first state
        with pytest.raises(jd.JaxdreamError, match=message):
            function(jax.random.key(0), tiny, image, **options)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 2, 8, 8, 3), np.float32), "image is .h, w, 3., or .n, h, w, 3. for a batch"),
        (np.random.default_rng(0).uniform(0, 1, (8, 8, 3)).astype(np.float32), "0..255"),
        (np.full((8, 8, 3), np.nan, np.float32), "finite"),
    ],
)
def test_what_is_no_picture_says_so(tiny, image, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        jd.iterate_dream(jax.random.key(0), tiny, image)


def test_needs_a_key_or_offsets_and_enough_of_them(tiny, picture):
    with pytest.raises(
        jd.JaxdreamError, match="key is missing: give a JAX random key, a whole number, or offsets"
    ):
        jd.dream(None, tiny, picture, **SMALL)
    keys = jax.random.split(jax.random.key(0), 3)
    with pytest.raises(jd.JaxdreamError, match="key has 3 keys, and there is one picture"):
        jd.dream(keys, tiny, picture, **SMALL)
    with pytest.raises(jd.JaxdreamError, match="key has 3 keys for 2 pictures"):
        jd.dream(keys, tiny, np.stack([picture, picture]), **SMALL)


def test_a_picture_too_small_for_the_layer_says_so(tiny):
    with pytest.raises(jd.JaxdreamError, match="1x1 pixels and the layer needs at least 2x2"):
        jd.dream(jax.random.key(0), tiny, np.zeros((1, 1, 3), np.float32))


def silent(model):
    """The same network with a first layer that nothing excites."""
    from jaxdream.models.graph_network import GraphNetwork

    weights = {
        f"{scope}/{part}": getattr(value, part)[...]
        for scope, value in model.params.items()
        for part in ("kernel", "bias")
    }
    weights["first/kernel"] = 0 * weights["first/kernel"]
    weights["first/bias"] = weights["first/bias"] * 0 - 1
    return GraphNetwork("silent", model.graph, model.preprocessing, "relu", weights, "")


def test_a_gradient_of_zero_says_so(tiny, picture):
    with pytest.raises(jd.JaxdreamError, match="the gradient of relu is zero everywhere"):
        jd.dream(jax.random.key(0), silent(tiny), picture, **SMALL)


def test_a_dream_that_overflows_says_so(tiny, picture):
    options = {"optimizer": optax.sgd(1e38), "clip": False}
    with pytest.raises(jd.JaxdreamError, match="is not finite"):
        jd.dream(jax.random.key(0), tiny, picture, **options, **SMALL)


SCAN = {"steps": 2, "octaves": 2, "jitter": 3, "scan": True, "clip": False}


def directional(function, x, towards, epsilon):
    """The slope of a function along a direction, by its values on both sides."""
    ahead = jax.tree.map(lambda x, d: x + epsilon * d, x, towards)
    behind = jax.tree.map(lambda x, d: x - epsilon * d, x, towards)
    return (float(function(ahead)) - float(function(behind))) / (2 * epsilon)


def test_gradients_through_the_scanned_dream_agree_with_finite_differences(tiny, picture):
    """With respect to the objective's weights, the step size and the picture it begins from.

    On layers before the max-pool: where its maximum changes place, a dream jumps.
    """
    target = jnp.asarray(picture[::-1])

    @jax.jit
    def distance(inputs):
        weights, step_size, start = inputs
        objective = weights[0] * layer("first") + weights[1] * layer("relu")
        out = jd.dream(
            jax.random.key(1), tiny, start, objective=objective, step_size=step_size, **SCAN
        )
        return jnp.mean(jnp.square(out - target)) / 100

    inputs = (jnp.array([1.0, 0.3]), jnp.float32(1.5), jnp.asarray(picture))
    gradients = jax.grad(distance)(inputs)
    zeros = jax.tree.map(jnp.zeros_like, inputs)
    noise = jnp.asarray(np.random.default_rng(4).normal(size=picture.shape), jnp.float32)
    for place, towards, epsilon in (
        (0, jnp.array([1.0, 0.0]), 0.02),
        (0, jnp.array([0.0, 1.0]), 0.02),
        (1, jnp.float32(1.0), 0.02),
        (2, noise, 0.05),
    ):
        direction = tuple(towards if i == place else zero for i, zero in enumerate(zeros))
        slope = sum(float(jnp.sum(g * d)) for g, d in zip(gradients, direction, strict=True))
        assert slope == pytest.approx(directional(distance, inputs, direction, epsilon), rel=0.03)


def test_a_gradient_through_the_dream_keeps_pictures_not_activations(tiny):
    def bytes_for(steps):
        def total(image):
            out = jd.dream(
                jax.random.key(0), tiny, image, steps=steps, octaves=1, scan=True, jitter=2
            )
            return out.sum()

        compiled = jax.jit(jax.grad(total)).lower(jnp.zeros((64, 64, 3))).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    picture_bytes = 64 * 64 * 3 * 4
    assert (bytes_for(22) - bytes_for(2)) / 20 < 4 * picture_bytes


def test_a_batch_with_a_guide_is_the_pictures_alone(tiny, picture):
    objective = jd.objectives.guide(tiny, picture[::-1], "second")
    batch = np.stack([picture, picture[:, ::-1]])
    out = jd.dream(jax.random.key(0), tiny, batch, objective=objective, **SMALL)
    for i, image in enumerate(batch):
        key = jax.random.fold_in(jax.random.key(0), i)
        alone = jd.dream(key, tiny, image, objective=objective, **SMALL)
        np.testing.assert_allclose(out[i], alone, atol=0.01)
