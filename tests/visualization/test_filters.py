import numpy as np
import pytest

from jaxdream.models.graph_network import GraphNetwork
from jaxdream.models.weights.registry import CAFFE, IMAGENET
from jaxdream.visualization.filters import first_filters


def network(tiny, pixels, kernel):
    weights = {
        f"{scope}/{name}": getattr(params, name)[...]
        for scope, params in tiny.params.items()
        for name in ("kernel", "bias")
    }
    return GraphNetwork(
        "tiny", tiny.graph, pixels, "second", weights | {"first/kernel": kernel}, ""
    )


def test_each_channel_has_a_filter_from_black_to_white(tiny):
    filters = first_filters(tiny)
    assert filters.shape == (4, 3, 3, 3)
    np.testing.assert_allclose(filters.min(axis=(1, 2, 3)), 0, atol=1e-3)
    np.testing.assert_allclose(filters.max(axis=(1, 2, 3)), 255, atol=1e-3)


@pytest.mark.parametrize(("pixels", "red"), [(CAFFE, 2), (IMAGENET, 0)])
def test_colours_are_those_that_the_network_sees(tiny, pixels, red):
    kernel = np.zeros((3, 3, 3, 4), np.float32)
    kernel[0, 1, red, 2] = 1
    filters = first_filters(network(tiny, pixels, kernel))
    assert filters[2, 0, 1].tolist() == [255, 0, 0]
    assert filters[2].sum() == 255
    assert (filters[0] == 127.5).all()


def test_weights_are_per_pixel_level(tiny):
    kernel = np.zeros((3, 3, 3, 4), np.float32)
    kernel[0, 0, :, 0] = IMAGENET.scale
    filters = first_filters(network(tiny, IMAGENET, kernel))
    np.testing.assert_allclose(filters[0, 0, 0], 255, rtol=1e-6)
