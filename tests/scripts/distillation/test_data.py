"""Random crops of the training pictures."""

import numpy as np

from distillation import data


def cut(pictures, seed: int) -> np.ndarray:
    return data.crops(pictures, np.random.default_rng(seed), 5, 24)


def test_crops_follow_the_seed(pictures):
    np.testing.assert_array_equal(cut(pictures, 1), cut(pictures, 1))
    assert (cut(pictures, 1) != cut(pictures, 2)).any()
