"""The filters of a network's first layer, as pictures.

Source: the figure of A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", NIPS 2012 (figure 3).
"""

import numpy as np
from jaxtyping import Float

from jaxdream.errors import JaxdreamError
from jaxdream.models.graph_network import GraphNetwork
from jaxdream.models.network import Network


def first_filters(model: Network) -> Float[np.ndarray, "n h w 3"]:
    """The kernels of the first convolution as pictures: RGB, each from 0 to 255.

    Each is stretched so that its smallest weight is 0 and its largest 255; a kernel of equal
    weights is mid-grey. Weights are shown per pixel level: a kernel is divided by the scale that
    its network divides each channel of a picture by.

    Raises:
        JaxdreamError: a wrapped network, of whose kernels nothing is known.
    """
    if not isinstance(model, GraphNetwork):
        raise JaxdreamError(
            f"which kernels of {model.name} see the picture is not known: filters are shown of "
            "jaxdream's own networks"
        )
    scope = next(iter(model.graph.kernel_shapes))
    kernel = (
        np.asarray(model.params[scope].kernel[...]) / np.asarray(model.preprocessing.scale)[:, None]
    )
    if model.preprocessing.order == "BGR":
        kernel = kernel[:, :, ::-1]
    filters = np.moveaxis(kernel, -1, 0).astype(np.float32)
    low = filters.min(axis=(1, 2, 3), keepdims=True)
    spread = filters.max(axis=(1, 2, 3), keepdims=True) - low
    share = np.where(spread > 0, (filters - low) / np.where(spread > 0, spread, 1), 0.5)
    return (255 * share).astype(np.float32)
