import numpy as np
import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.units.sheets import patch


def test_a_patch_lies_in_the_middle_of_its_square():
    picture = np.zeros((20, 20, 3), np.float32)
    picture[4:9, 0:10] = [250, 0, 0]
    found = patch(picture, np.array([4, 0, 9, 10]), 10, side=20)
    assert found.shape == (20, 20, 3)
    assert (found[5:15] == [250, 0, 0]).all()
    assert (found[:5] == 235).all()
    assert (found[15:] == 235).all()


def test_a_box_without_pixels_is_refused():
    with pytest.raises(JaxdreamError, match="empty"):
        patch(np.zeros((5, 5, 3), np.float32), np.array([2, 2, 2, 4]), 3)
