import numpy as np
from own_networks import tiny_function

import jaxdream as jd
from jaxdream.models.weights.registry import CAFFE
from jaxdream.units.receptive_fields import receptive_boxes

SIZE, SHAPE = (16, 24), (8, 12, 5)
POSITIONS = np.arange(8 * 12)


def test_known_boxes_are_cut_off_at_the_border(tiny):
    boxes = receptive_boxes(tiny, "second", POSITIONS, size=SIZE, shape=SHAPE)
    middle = boxes[4 * 12 + 6]
    np.testing.assert_array_equal(middle[2:] - middle[:2], tiny.layers()[-1].receptive_field)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= SIZE).all()
    assert (boxes[0][:2] == 0).all()


def test_a_wrapped_network_is_measured(tiny):
    function, weights = tiny_function(tiny)
    wrapped = jd.wrap(function, variables=weights, pixels=CAFFE)
    known = receptive_boxes(tiny, "second", POSITIONS, size=SIZE, shape=SHAPE)
    measured = receptive_boxes(wrapped, "second", POSITIONS, size=SIZE, shape=SHAPE)
    # A window that never wins the maximum on noise is not seen; nothing outside is.
    assert (measured[:, :2] >= known[:, :2]).all()
    assert (measured[:, 2:] <= known[:, 2:]).all()
    assert np.abs(measured - known).max() <= 1


def test_a_layer_that_sees_everything_has_the_whole_picture(tiny):
    boxes = receptive_boxes(tiny, "second", np.zeros((2, 3), int), size=SIZE, shape=(5,))
    assert boxes.shape == (2, 3, 4)
    assert (boxes == [0, 0, *SIZE]).all()
