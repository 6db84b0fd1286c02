import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import compilations

import jaxdream as jd
from jaxdream import JaxdreamError, objectives
from jaxdream.curves.objectives import balance, cross_fade
from jaxdream.curves.text import parse_curve
from jaxdream.curves.times import Timeline
from jaxdream.objectives.files import ObjectiveFiles

FILM = Timeline(10)
CURVE = parse_curve("objective: 0 first, 10 second:2 - 0.5*first, 20 100*first, 30 first")


def mean_gradient(model, objective, picture):
    return jnp.abs(jax.grad(lambda image: objective.value(model, image))(picture)).mean()


@pytest.mark.slow
def test_terms_are_equally_strong(tiny, picture):
    fade = cross_fade(CURVE, tiny, picture)
    assert len(fade.terms) == 3, "a text that is given twice is one term"
    for weights in np.eye(3, dtype=np.float32):
        objective = fade.with_weights(weights)
        np.testing.assert_allclose(mean_gradient(tiny, objective, picture), 1, rtol=1e-4)
    layer, _, scaled = fade.means
    np.testing.assert_allclose(scaled, 100 * layer, rtol=1e-4)


def test_the_objective_is_the_weighted_sum(tiny, picture):
    fade = cross_fade(CURVE, tiny, picture)
    terms = [objectives.layer("first"), CURVE.texts[1], CURVE.texts[2]]
    terms = [jd.parse_objective(t, tiny) if isinstance(t, str) else t for t in terms]
    expected = 0.4 * terms[0] / fade.means[0] + 0.6 * terms[1] / fade.means[1]
    value = fade.at(FILM.at(6)).value(tiny, picture)
    np.testing.assert_allclose(value, expected.value(tiny, picture), rtol=1e-4)


def test_other_weights_compile_nothing(tiny, picture):
    fade = cross_fade(CURVE, tiny, picture)
    value = jax.jit(lambda objective: objective.value(tiny, picture))
    first = value(fade.at(FILM.at(0)))
    with compilations() as names:
        values = [value(fade.at(FILM.at(frame))) for frame in range(1, 35, 5)]
    assert names == []
    assert len({float(each) for each in [first, *values]}) > 3
    structures = {jax.tree.structure(fade.at(FILM.at(frame))) for frame in (0, 4, 25)}
    assert len(structures) == 1


def test_a_single_objective_is_itself(tiny, picture):
    fade = cross_fade(parse_curve("objective: second"), tiny, picture)
    np.testing.assert_array_equal(fade.means, 1)
    np.testing.assert_allclose(
        fade.at(FILM.at(3)).value(tiny, picture), objectives.layer("second").value(tiny, picture)
    )


@pytest.mark.slow
def test_large_pictures_are_seen_small_and_tiny_ones_large_enough(tiny):
    large = np.random.default_rng(3).uniform(0, 255, (40, 512, 3)).astype(np.float32)
    term = objectives.layer("second")
    small = jd.resize(large, longest=256)
    np.testing.assert_allclose(
        balance(tiny, [term], large), mean_gradient(tiny, term, small), rtol=1e-4
    )
    assert balance(tiny, [term], large[:1, :1]) > 0


def test_the_files_of_objectives_are_known(tiny, picture, tmp_path):
    np.save(tmp_path / "v.npy", np.arange(5))
    files = ObjectiveFiles()
    curve = parse_curve(f'objective: 0 first, 50% direction("{tmp_path}/v.npy", second)')
    cross_fade(curve, tiny, picture, files=files)
    assert list(files.by_name()) == ["v.npy"]


def test_objectives_that_choose_channels_by_the_picture(tiny, picture):
    fade = cross_fade(parse_curve("objective: 0 strongest(second, 2), 9 first"), tiny, picture)
    assert (fade.means > 0).all()
    assert fade.at(FILM.at(3)).depends_on_picture


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("objective: 0 first, 9 0*second", r"gradient of 0\*second is 0 on this picture"),
        ("objective: 0 first, 9 1e-44*first", "is 0 on this picture"),
        ("objective: 0 first, 9 3e38*first*first", "is not finite on this picture"),
        ("objective: 0 first, 9 secnd", "secnd"),
        ("objective: 0 first, 9 first +", "expected a layer name at the end"),
    ],
)
def test_terms_that_cannot_be_used(tiny, picture, text, says):
    with pytest.raises(JaxdreamError, match=says) as caught:
        cross_fade(parse_curve(text), tiny, picture)
    assert str(caught.value).startswith(f"curve {text!r}: ")
    assert "\n" not in str(caught.value)
