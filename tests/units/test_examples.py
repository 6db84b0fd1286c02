"""Examples and statistics, compared with all activations at once, in NumPy."""

import numpy as np
import pytest
from own_networks import SIDE, token_network, token_params

import jaxdream as jd
from jaxdream.errors import JaxdreamError
from jaxdream.units.examples import Pass
from jaxdream.units.summary import layer_shapes

LAYERS = ["relu", "second"]
SIZE = (12, 16)
TOP = 3


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(5)
    return [random.uniform(0, 255, (*SIZE, 3)).astype(np.float32) for _ in range(11)]


def find(model, pictures, **options):
    return jd.find_examples(
        model, iter(pictures), LAYERS, size="16x12", top=TOP, batch=4, **options
    )


@pytest.fixture(scope="module")
def found(tiny, pictures):
    return find(tiny, pictures)


def activations(model, pictures, layer):
    x = model.preprocess(np.stack(pictures))
    return np.asarray(model(x, layers=[layer])[layer], np.float64)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_statistics_are_those_of_all_activations(tiny, pictures, found, layer):
    values = activations(tiny, pictures, layer)
    flat = values.reshape(-1, values.shape[-1])
    s = found[layer].statistics
    assert (s.pictures, s.count) == (len(pictures), len(flat))
    np.testing.assert_allclose(s.mean, flat.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(s.deviation, flat.std(axis=0), rtol=1e-5)
    expected = np.cov(flat.T, bias=True)
    np.testing.assert_allclose(s.covariance, expected, rtol=1e-5, atol=1e-6 * expected.max())
    np.testing.assert_array_equal(s.zero_share, (flat == 0).mean(axis=0))
    shares = [0.0, 0.1, 0.5, 0.99, 1.0]
    exact = np.quantile(flat, shares, axis=0, method="inverted_cdf").T
    np.testing.assert_allclose(s.quantiles(shares), exact, rtol=1 / 64 + 1e-6)
    assert (s.quantiles([1.0])[:, 0] == s.top_values[:, 0]).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_the_examples_are_the_largest_one_of_each_picture(tiny, pictures, found, layer):
    values = activations(tiny, pictures, layer)
    flat = values.reshape(len(pictures), -1, values.shape[-1])
    order = np.argsort(-flat.max(axis=1), axis=0, kind="stable")[:TOP].T
    s = found[layer].statistics
    np.testing.assert_array_equal(s.top_pictures, order)
    for channel, numbers in enumerate(order):
        best = flat[numbers, :, channel]
        np.testing.assert_array_equal(s.top_positions[channel], best.argmax(axis=1))
        np.testing.assert_allclose(s.top_values[channel], best.max(axis=1), rtol=1e-5)


def test_a_box_holds_exactly_the_pixels_that_its_value_depends_on(tiny, pictures, found):
    one = found["second"]
    for channel in range(5):
        number = one.statistics.top_pictures[channel, 0]
        top, left, bottom, right = one.boxes[channel, 0]
        kept = np.zeros((*SIZE, 1), bool)
        kept[top:bottom, left:right] = True
        for inside, same in ((kept, True), (~kept, False)):
            # Noise on the other side: the value stays; on this side: it does not.
            noisy = np.where(inside, pictures[number], 255 - pictures[number])
            values = activations(tiny, [noisy], "second").reshape(-1, 5)
            value = values[one.statistics.top_positions[channel, 0], channel]
            before = one.statistics.top_values[channel, 0]
            assert (abs(value - before) < 1e-3 * abs(before)) == same


def test_parts_are_merged_into_the_whole(tiny, pictures, found):
    parts = [find(tiny, pictures[:3]), find(tiny, pictures[3:4], first=3)]
    parts.append(find(tiny, pictures[4:], first=4))
    for layer in LAYERS:
        whole = found[layer].statistics
        for order in ((0, 1, 2), (2, 0, 1)):
            merged = jd.merge_statistics(*(parts[i][layer].statistics for i in order)).arrays()
            for name, array in whole.arrays().items():
                if name in ("mean", "comoments"):  # sums of other batches
                    scale = np.abs(array).max()
                    np.testing.assert_allclose(merged[name], array, rtol=1e-5, atol=1e-6 * scale)
                elif name in ("top_values", "least", "most"):
                    np.testing.assert_allclose(merged[name], array, rtol=1e-5)
                elif name != "counts":
                    np.testing.assert_array_equal(merged[name], array)
            assert (merged["counts"].sum(axis=1) == whole.count).all()


def test_merging_is_exact(tiny, pictures):
    """The parts of a merge are two batches of one pass: then nothing differs but float64 order."""
    together = find(tiny, pictures[:8])
    parts = [find(tiny, pictures[:4]), find(tiny, pictures[4:8], first=4)]
    for layer in LAYERS:
        merged = jd.merge_statistics(*(part[layer].statistics for part in parts)).arrays()
        for name, array in together[layer].statistics.arrays().items():
            np.testing.assert_allclose(merged[name], array, rtol=1e-13, err_msg=name)


def test_what_is_kept_does_not_grow_with_the_pictures(tiny, pictures, found):
    more = find(tiny, pictures * 3)
    for layer in LAYERS:
        sizes = [
            {name: array.nbytes for name, array in one[layer].statistics.arrays().items()}
            for one in (found, more)
        ]
        assert sizes[0] == sizes[1]
        assert more[layer].statistics.pictures == 3 * len(pictures)


def test_few_pictures_leave_places_empty(tiny, pictures):
    s = find(tiny, pictures[:2])["second"].statistics
    assert (s.top_pictures[:, 2] == -1).all()
    assert np.isneginf(s.top_values[:, 2]).all()
    assert (s.top_pictures[:, :2] >= 0).all()


def test_tokens_and_vectors(pictures):
    model = jd.wrap(token_network, variables=token_params(), size=SIDE)
    tokens, vector = (
        next(
            info.name for info in model.layers() if len(info.shape) == axes and info.name != "data"
        )
        for axes in (2, 1)
    )
    found = jd.find_examples(model, pictures, [tokens, vector], top=2)
    assert found[tokens].statistics.count == 9 * len(pictures)
    assert found[vector].statistics.count == len(pictures)
    for one in found.values():
        assert (one.boxes == [0, 0, SIDE, SIDE]).all()


def test_a_picture_without_finite_activations_does_not_count(tiny, pictures):
    work = Pass.planned(tiny, "second", jd.ExamplesSettings(size="16x12", batch=4))
    bad = np.full_like(pictures[0], np.inf)
    states, refused = work.add(work.start(), [pictures[0], bad, pictures[1]], [5, 6, 7])
    assert refused == [6]
    expected, _ = work.add(work.start(), [pictures[0], pictures[1]], [5, 7])
    np.testing.assert_allclose(states["second"].mean, expected["second"].mean, rtol=1e-6)
    assert states["second"].pictures == 2
    assert set(states["second"].top_pictures.ravel()) == {5, 7, -1}


def test_errors(tiny, pictures):
    with pytest.raises(JaxdreamError, match="the nearest is second"):
        jd.find_examples(tiny, pictures, "secand")
    with pytest.raises(JaxdreamError, match="no pictures"):
        jd.find_examples(tiny, [], "second")
    with pytest.raises(JaxdreamError, match="at least one layer"):
        jd.find_examples(tiny, pictures, [])
    with pytest.raises(JaxdreamError, match="at least 2x2"):
        jd.find_examples(tiny, pictures, "second", size="1")
    a, b = (
        jd.find_examples(tiny, pictures[:1], "second", top=n)["second"].statistics for n in (1, 2)
    )
    with pytest.raises(JaxdreamError, match="cannot be merged"):
        jd.merge_statistics(a, b)
    with pytest.raises(JaxdreamError, match="from 0 to 1"):
        a.quantiles([1.5])


def test_shapes_are_those_of_the_layers(tiny):
    assert layer_shapes(tiny, ["alias", "relu"], SIZE) == {"second": (6, 8, 5), "relu": (12, 16, 4)}
