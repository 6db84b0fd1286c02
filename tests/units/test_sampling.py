import numpy as np
import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.units.sampling import (
    ActivationSample,
    candidates_per_picture,
    draw_positions,
    merge_samples,
    sample_batch,
)

LAYER, POSITIONS, EACH, MOST = "second", 6 * 8, 5, 20


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(2).uniform(0, 255, (12, 12, 16, 3)).astype(np.float32)


def sample(model, pictures, numbers):
    found, counted = sample_batch(
        model, pictures, np.ones(len(pictures), bool), np.asarray(numbers), layer=LAYER,
        positions=POSITIONS, each=EACH, seed=3,
    )  # fmt: skip
    assert counted.all()
    return found


def test_vectors_are_those_at_their_positions(tiny, pictures):
    found = sample(tiny, pictures, range(12))
    assert len(found.draws) == 12 * EACH
    values = np.asarray(tiny(tiny.preprocess(pictures), layers=[LAYER])[LAYER])
    expected = values.reshape(12, POSITIONS, -1)[found.pictures, found.positions]
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-4, atol=1e-4)
    for number in range(12):
        assert len(set(found.positions[found.pictures == number])) == EACH


def test_samples_of_parts_are_merged_into_that_of_the_whole(tiny, pictures):
    empty = ActivationSample.empty(5)
    whole = merge_samples(empty, sample(tiny, pictures, range(12)), most=MOST)
    parts = [
        merge_samples(empty, sample(tiny, pictures[rows], rows), most=MOST)
        for rows in (np.arange(8, 12), np.arange(0, 4), np.arange(4, 8))
    ]
    merged = merge_samples(*parts, most=MOST)
    assert len(whole.draws) == MOST
    assert (np.diff(whole.draws) >= 0).all()
    np.testing.assert_array_equal(merged.pictures, whole.pictures)
    np.testing.assert_array_equal(merged.positions, whole.positions)
    np.testing.assert_allclose(merged.vectors, whole.vectors, rtol=1e-4, atol=1e-4)


def test_a_full_sample_takes_what_draws_less():
    def drawn(*draws):
        count = len(draws)
        numbers = np.array([10 * draw for draw in draws], np.int64)
        return ActivationSample(
            np.zeros((count, 1), np.float32), np.array(draws), numbers, np.zeros(count, np.int32)
        )

    full = drawn(0.1, 0.2, 0.5)
    assert merge_samples(full, drawn(0.6, 0.9), most=3).draws.tolist() == [0.1, 0.2, 0.5]
    assert merge_samples(full, drawn(0.6, 0.3), most=3).pictures.tolist() == [1, 2, 3]
    assert merge_samples(full, most=2).draws.tolist() == [0.1, 0.2]


def test_all_positions_are_as_likely():
    chosen, draws = draw_positions(0, list(range(4000)), positions=8, each=2)
    assert np.abs(np.bincount(chosen.ravel()) / 1000 - 1).max() < 0.15
    assert abs(draws.mean() - 0.5) < 0.02
    other, _ = draw_positions(1, list(range(4000)), positions=8, each=2)
    assert (chosen != other).any()


def test_as_many_candidates_as_are_needed():
    assert candidates_per_picture(100, 1000, 49) == 1
    assert candidates_per_picture(100, 30, 49) == 4
    assert candidates_per_picture(10_000, 30, 49) == 49
    with pytest.raises(JaxdreamError, match="no pictures"):
        candidates_per_picture(10, 0, 49)


def test_arrays_make_the_sample_again(tiny, pictures):
    found = sample(tiny, pictures, range(12))
    again = ActivationSample.from_arrays(found.arrays())
    assert all((found.arrays()[name] == array).all() for name, array in again.arrays().items())
    with pytest.raises(JaxdreamError, match="no sample"):
        ActivationSample.from_arrays({"draws": found.draws})
    with pytest.raises(JaxdreamError, match="no sample"):
        ActivationSample.from_arrays(found.arrays() | {"positions": found.positions[1:]})
