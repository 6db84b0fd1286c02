import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.models.network import Network
from jaxdream.objectives import direction, layer, logit, neuron
from jaxdream.visualization.step import roughness, run_steps, similarity
from jaxdream.visualization.transforms import Robustness
from jaxdream.visualization.visualize import (
    channel_mean,
    iterate_visualize,
    plan_batches,
    visualize,
)

KEY = jax.random.key(0)
SMALL = {"size": 24, "steps": 20, "robustness": Robustness(pad=2), "learning_rate": 0.1}


def value(model, objective, image):
    activations = model(model.preprocess(image)[None], layers=objective.layers)
    return float(objective({name: a[0] for name, a in activations.items()}))


def test_raises_what_it_is_to_show(tiny):
    objective = channel_mean(tiny, "second", 3)
    image = visualize(KEY, tiny, objective, **SMALL)
    assert image.shape == (24, 24, 3)
    assert 0 <= float(image.min()) < float(image.max()) <= 255
    noise = np.random.default_rng(0).uniform(0, 255, (50, 24, 24, 3)).astype(np.float32)
    best = max(value(tiny, objective, each) for each in noise)
    assert value(tiny, objective, image) > 1.5 * best


def test_channels_together_are_what_each_is_alone(tiny):
    objectives = [channel_mean(tiny, "second", i) for i in range(3)]
    keys = jax.random.split(KEY, 3)
    together = visualize(keys, tiny, objectives, **SMALL)
    assert together.shape == (3, 24, 24, 3)
    for i in range(3):
        alone = visualize(keys[i : i + 1], tiny, [objectives[i]], **SMALL)
        np.testing.assert_allclose(together[i], alone[0], atol=0.5)
        values = [value(tiny, objectives[i], image) for image in together]
        assert np.argmax(values) == i


def test_of_several_layers_and_in_several_batches(tiny, monkeypatch):
    monkeypatch.setattr("jaxdream.visualization.visualize._BATCH_PIXELS", 2 * 24 * 24)
    objectives = [layer("relu"), *(channel_mean(tiny, "second", i) for i in range(3))]
    keys = jax.random.split(KEY, 4)
    states = list(iterate_visualize(keys, tiny, objectives, **SMALL))
    assert list(dict.fromkeys(state.places for state in states)) == [(0,), (1, 2), (3,)]
    assert [round(state.done * 80) for state in states[19::20]] == [20, 60, 80]
    images = visualize(keys, tiny, objectives, **SMALL)
    assert images.shape == (4, 24, 24, 3)
    np.testing.assert_array_equal(images[1:3], states[39].images)
    np.testing.assert_array_equal(images[3], states[-1].images[0])


def test_other_channels_and_settings_compile_nothing(tiny):
    visualize(KEY, tiny, [channel_mean(tiny, "second", i) for i in (0, 1, 2)], **SMALL)
    before = run_steps.cache_size()
    other = {**SMALL, "steps": 3, "learning_rate": 0.3, "total_variation": 0.7}
    visualize(KEY, tiny, [channel_mean(tiny, "second", i) for i in (2, 4, 3)], **other)
    other["robustness"] = Robustness(pad=2, rotate=3.0)
    visualize(KEY, tiny, direction("second", np.arange(5.0, dtype=np.float32)), count=3, **other)
    assert run_steps.cache_size() == before


def test_the_same_key_is_the_same_picture_and_another_another(tiny):
    first = visualize(KEY, tiny, layer("second"), **SMALL)
    np.testing.assert_array_equal(first, visualize(KEY, tiny, layer("second"), **SMALL))
    other = visualize(jax.random.key(1), tiny, layer("second"), **SMALL)
    assert np.abs(np.asarray(first - other)).mean() > 1


def test_scan_is_the_same(tiny):
    options = SMALL | {"steps": 34}
    loop = visualize(KEY, tiny, layer("second"), scan=False, **options)
    states = list(iterate_visualize(KEY, tiny, layer("second"), scan=True, **options))
    assert [state.step for state in states] == [32, 34]
    np.testing.assert_allclose(states[-1].images[0], loop, atol=0.5)


def test_states_on_the_way(tiny):
    states = list(iterate_visualize(KEY, tiny, layer("second"), scan=False, count=3, **SMALL))
    assert [state.step for state in states] == list(range(1, 21))
    assert states[0].steps == 20
    assert states[0].images.shape == (3, 24, 24, 3)
    assert states[0].places == (0, 1, 2)
    assert [state.done for state in states[::19]] == pytest.approx([1 / 20, 1])
    assert (states[-1].info.loss > 2 * states[0].info.loss).all()


def test_begins_from_a_photograph(tiny, picture):
    options = {"image": picture, "learning_rate": 1e-6, "total_variation": 0.0, "steps": 2}
    image = visualize(KEY, tiny, layer("second"), **options)
    assert image.shape == picture.shape
    np.testing.assert_allclose(image, picture, atol=0.5)
    changed = visualize(KEY, tiny, layer("second"), **options | {"learning_rate": 0.05})
    assert value(tiny, layer("second"), changed) > value(tiny, layer("second"), picture)
    assert 0.8 < np.corrcoef(np.ravel(changed), picture.ravel())[0, 1] < 1


def test_total_variation_smooths(tiny):
    smooth = visualize(KEY, tiny, layer("second"), total_variation=1.0, **SMALL)
    rough = visualize(KEY, tiny, layer("second"), total_variation=0.0, **SMALL)
    assert roughness(smooth) < 0.7 * roughness(rough)


def test_diversity_makes_a_batch_differ(tiny):
    def difference(diversity):
        images = visualize(KEY, tiny, layer("second"), count=3, diversity=diversity, **SMALL)
        features = tiny(tiny.preprocess(images), layers=("second",))["second"]
        return 1 - float(similarity(features))

    assert difference(1.0) > 5 * difference(0.0)


def test_a_silent_channel_is_woken(tiny):
    weights = {
        f"{scope}/{part}": getattr(held, part)[...]
        for scope, held in tiny.params.items()
        for part in ("kernel", "bias")
    }
    mean = np.abs(weights["first/kernel"]).sum(axis=(0, 1, 2)) * 20
    weights["first/bias"] = jnp.asarray(-mean)
    asleep = Network("asleep", tiny.graph, tiny.preprocessing, "relu", weights, "")
    objective = channel_mean(asleep, "relu", 1)
    grey = np.full((24, 24, 3), 127.5, np.float32)
    assert value(asleep, objective, grey) == 0
    assert value(asleep, objective, visualize(KEY, asleep, objective, **SMALL)) > 0


def test_batches_share_a_layer_and_are_bounded(tiny):
    objectives = [layer("second"), *(channel_mean(tiny, "second", i) for i in range(5))]
    objectives.insert(3, layer("relu"))
    objectives.append(channel_mean(tiny, "relu", 0))
    assert plan_batches(objectives, batch=3) == [[0], [1, 2, 4], [5, 6], [3], [7]]
    logits = [logit(i) for i in range(40)]
    assert [len(batch) for batch in plan_batches(logits, size=224)] == [14, 13, 13]
    assert [len(batch) for batch in plan_batches(logits[:2], size=(1000, 2000))] == [1, 1]


@pytest.mark.parametrize(
    ("objective", "options", "message"),
    [
        (layer("secnd"), {}, "no layer 'secnd': the nearest are second"),
        (neuron("second", 5), {}, "second has channels 0 to 4, not 5"),
        (logit(3), {}, "no classifier"),
        (layer("second"), {"steps": 0}, "steps must be at least 1"),
        (layer("second"), {"learning_rate": 0.0}, "learning rate must be a number over 0"),
        (layer("second"), {"total_variation": -1.0}, "total variation must be 0 or more"),
        (layer("second"), {"diversity": float("nan"), "count": 2}, "diversity must be 0 or more"),
        (layer("second"), {"diversity": 1.0}, "between several pictures"),
        (layer("second"), {"count": 0}, "count of pictures must be at least 1"),
        (layer("second"), {"size": 1}, "1x1 pixels and the layer needs at least 2x2"),
        ([], {}, "at least one"),
        ([layer("second")], {"count": 2}, "a count is for one objective"),
    ],
)
def test_bad_settings_say_so(tiny, objective, options, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        visualize(KEY, tiny, objective, **SMALL | options)


def test_no_such_channel(tiny):
    with pytest.raises(jd.JaxdreamError, match="second has channels 0 to 4, not 5"):
        channel_mean(tiny, "second", 5)


def test_a_gradient_of_zero_says_so(tiny):
    with pytest.raises(jd.JaxdreamError, match="zero everywhere"):
        visualize(KEY, tiny, 0.0 * layer("second"), **SMALL)
