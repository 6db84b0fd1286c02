import importlib.util

import numpy as np
import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.models.graph import Graph, GraphBuilder
from jaxdream.models.graph_network import GraphNetwork
from jaxdream.models.ops import Conv, Dense, GlobalAveragePool, Input, Relu
from jaxdream.models.weights.registry import CAFFE
from jaxdream.units.atlas import (
    choose_projection,
    chosen_grid,
    lay_out,
    make_cells,
    nearest_classes,
    project,
    whitened,
)

RANDOM = np.random.default_rng(4)
VECTORS = (RANDOM.normal(size=(300, 2)) * [5, 1] @ RANDOM.normal(size=(2, 6))).astype(np.float32)


def test_principal_components_keep_all_that_two_can():
    points = project(VECTORS, "pca", seed=0)
    centred = VECTORS - VECTORS.mean(axis=0)
    # The vectors lie in a plane, so the distances stay.
    distances = [np.linalg.norm(a[:150] - a[150:], axis=1) for a in (points, centred)]
    np.testing.assert_allclose(*distances, rtol=1e-4)
    assert points[:, 0].std() > points[:, 1].std()
    np.testing.assert_allclose(project(VECTORS[:, :1], "pca", seed=0)[:, 1], 0)


@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="umap-learn is not installed")
def test_umap_keeps_neighbours_together():
    groups = np.repeat(np.eye(3, 6), 40, axis=0) * 10
    vectors = (groups + RANDOM.normal(0, 0.3, groups.shape)).astype(np.float32)
    points = project(vectors, "umap", seed=0).reshape(3, 40, 2)
    centres = points.mean(axis=1)
    spread = np.linalg.norm(points - centres[:, None], axis=-1).mean()
    apart = min(np.linalg.norm(centres[i] - centres[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert apart > 2 * spread


def test_the_projection_is_what_is_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert choose_projection("auto") == "pca"
    assert choose_projection("pca") == "pca"
    with pytest.raises(JaxdreamError, match=r"pip install 'jaxdream\[atlas\]'"):
        choose_projection("umap")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert choose_projection("auto") == choose_projection("umap") == "umap"


def test_outliers_lie_on_the_border():
    points = np.concatenate([RANDOM.uniform(size=(500, 2)), [[1000.0, -1000.0]]])
    places = lay_out(points)
    assert places.min() == 0
    assert places.max() == 1
    assert (places[-1] == [1, 0]).all()
    assert 0.45 < places[:, 0].mean() < 0.55
    assert np.isfinite(lay_out(np.zeros((5, 2)))).all()


def test_few_activations_are_not_spread_over_many_cells():
    assert [chosen_grid(None, count) for count in (4, 588, 5880, 20000, 10**6)] == [
        2,
        3,
        11,
        20,
        20,
    ]
    assert chosen_grid(7, 588) == 7


def test_cells_have_the_mean_of_what_lies_in_them():
    vectors = np.arange(12, dtype=np.float32).reshape(6, 2)
    # Three at the upper left, two at the lower right, one in between.
    places = np.array([[0, 1], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1], [1, 0], [0.5, 0.5]])
    cells = make_cells(vectors, places, grid=3, minimum=2)
    assert list(zip(cells.rows, cells.columns, cells.counts, strict=True)) == [(0, 0, 3), (2, 2, 2)]
    np.testing.assert_array_equal(cells.means, [[2, 3], [7, 8]])
    with pytest.raises(JaxdreamError, match="the fullest has 3"):
        make_cells(vectors, places, grid=3, minimum=4)


def test_whitening_takes_away_what_all_have_in_common():
    vectors = RANDOM.normal(size=(5000, 3)).astype(np.float32) + np.array([20.0, 0, 0])
    mean = np.array([[20.0, 1.0, 0.0]])
    direction = whitened(mean, vectors.astype(np.float32))[0]
    expected = np.linalg.inv(vectors.T @ vectors / 5000) @ mean[0]
    assert abs(direction[1]) > 10 * abs(direction[0])
    np.testing.assert_allclose(direction[1], expected[1], rtol=0.2)
    assert np.isfinite(whitened(mean, np.zeros((5, 3), np.float32))).all()


def test_too_few_activations():
    with pytest.raises(JaxdreamError, match="at least 4"):
        project(VECTORS[:3], "pca", seed=0)


def classifier():
    build = GraphBuilder()
    x = build.add("conv", Conv(3, (3, 3), 1, (1, 1)), build.add("data", Input()))
    x = build.add("relu", Relu(), x)
    build.add("head", Dense(3), build.add("pool", GlobalAveragePool(), x))
    graph = Graph(build.nodes, {"logits": "head"}, ("relu",))
    weights = {
        "conv/kernel": RANDOM.normal(size=(3, 3, 3, 3)),
        "conv/bias": np.zeros(3),
        # Class 1 is of channel 0, 2 of 1, 0 of 2; and class 0 has the largest score anyhow.
        "head/kernel": np.roll(np.eye(3), 1, axis=1).reshape(graph.kernel_shapes["head"]),
        "head/bias": np.array([100.0, 0, 0]),
    }
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    return GraphNetwork("classifier", graph, CAFFE, "relu", weights, "")


def test_the_nearest_class_is_what_a_cell_speaks_for(tiny):
    model = classifier()
    means, average = 10 * np.eye(3) + 1, np.ones(3)
    found = nearest_classes(model, "relu", means, average, (5, 5, 3))
    assert found is not None
    assert found.tolist() == [1, 2, 0]
    assert nearest_classes(tiny, "second", np.zeros((2, 5)), np.zeros(5), (5, 5, 5)) is None
    # The picture itself is seen before the layer only: what comes after it is no way around.
    assert nearest_classes(model, "pool", means, average, (3,)) is None
