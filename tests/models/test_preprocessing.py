import inspect

import numpy as np
import pytest

from jaxdream import JaxdreamError, Preprocessing


def test_numbers_for_pixels_of_0_to_1():
    mean, std = (0.485, 0.456, 0.406), np.array([0.229, 0.224, 0.225])
    found = Preprocessing.of_unit_pixels(mean, std)
    assert found.order == "RGB"
    np.testing.assert_allclose(found.mean, (123.675, 116.28, 103.53))
    np.testing.assert_allclose(found.scale, (58.395, 57.12, 57.375))
    assert hash(found) == hash(Preprocessing.of_unit_pixels(mean, std))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (((1, 2),), {}, "mean is three numbers"),
        (((0, 0, 0), (1, np.nan, 1)), {}, "std is three numbers"),
        (((0, 0, 0), (1, 0, 1)), {}, "std has a 0"),
    ],
)
def test_wrong_numbers(arguments, options, message):
    with pytest.raises(JaxdreamError, match=message):
        Preprocessing.of_unit_pixels(*arguments, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("GBR", (0, 0, 0)), "the order of channels is RGB or BGR, not 'GBR'"),
        (("RGB", (0, 0)), "mean is three numbers, one for each channel: "),
        (("RGB", 127.5), "mean is three numbers, one for each channel: 127.5"),
        (("RGB", (0, 0, 0), (1, float("inf"), 1)), "scale is three numbers"),
        (("RGB", (0, 0, 0), (1, 0, 1)), "scale has a 0, by which nothing can be divided"),
        (("RGB", "abc"), "mean is three numbers"),
    ],
)
def test_wrong_levels(arguments, message):
    unchecked = inspect.unwrap(Preprocessing.__init__)  # annotations are checked in tests only
    with pytest.raises(JaxdreamError, match=message):
        unchecked(object.__new__(Preprocessing), *arguments)


def test_levels_may_be_an_array():
    unchecked = inspect.unwrap(Preprocessing.__init__)
    found = object.__new__(Preprocessing)
    unchecked(found, "RGB", np.array([1, 2, 3]), [4, 5, 6])
    assert found == Preprocessing("RGB", (1, 2, 3), (4, 5, 6))
    assert hash(found) == hash(Preprocessing("RGB", (1, 2, 3), (4, 5, 6)))
