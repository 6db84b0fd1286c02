"""A small network for tests, and for the processes that they start."""

from functools import cache

import numpy as np


@cache
def tiny_network():
    """Three layers with random weights: quick to compile, its smallest picture has 2x2 pixels."""
    from jaxdream.models.graph import Graph, GraphBuilder
    from jaxdream.models.graph_network import GraphNetwork
    from jaxdream.models.ops import Conv, Input, MaxPool, Relu
    from jaxdream.models.weights.registry import CAFFE

    build = GraphBuilder()
    x = build.add("first", Conv(4, (3, 3), 1, (1, 1)), build.add("data", Input()))
    x = build.add("pool", MaxPool((3, 3), 2, ceil=True), build.add("relu", Relu(), x))
    build.add("second", Conv(5, (3, 3), 1, (1, 1)), x)
    graph = Graph(build.nodes, {"alias": "second"}, ("second",))
    random = np.random.default_rng(0)
    weights = {}
    for scope, shape in graph.kernel_shapes.items():
        weights[f"{scope}/kernel"] = random.normal(0, 0.3, shape).astype(np.float32)
        weights[f"{scope}/bias"] = random.normal(0, 0.1, shape[-1:]).astype(np.float32)
    return GraphNetwork("tiny", graph, CAFFE, "second", weights, "no file")


def weights_of(model):
    """The arrays of a network by weight name, as its constructor takes them."""
    return {
        f"{scope}/{kind}": getattr(layer, kind)[...]
        for scope, layer in model.params.items()
        for kind in ("kernel", "bias")
    }
