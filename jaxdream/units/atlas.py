"""The activation atlas: what a layer sees in many pictures, laid out as a map.

Source: S. Carter, Z. Armstrong, L. Schubert, I. Johnson, C. Olah, "Activation Atlas", Distill 2019
(doi 10.23915/distill.00015), and the notebooks beside it, in ``lucid``.
"""

import importlib
import importlib.util
import warnings
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64

from jaxdream.errors import JaxdreamError
from jaxdream.execution.jit import program
from jaxdream.models.graph import Graph, Node
from jaxdream.models.graph_network import GraphNetwork, evaluate
from jaxdream.models.network import Network
from jaxdream.models.ops import Input
from jaxdream.models.precision import compute_in
from jaxdream.settings import CELL_ACTIVATIONS, FULL_GRID
from jaxdream.types import AnyArray

# As in lucid's notebooks.
_NEIGHBOURS, _MINIMUM_DISTANCE, _METRIC = 50, 0.05, "cosine"
_OUTLIERS = (1, 99)  # percent: what lies further out is moved to the border
_RIDGE = 1e-3  # of the mean variance: what is added to each, so that the inverse exists

_LENS_BATCH = 32  # vectors


@dataclass(frozen=True)
class AtlasCells:
    """The cells of an atlas that have enough activations, row by row.

    Attributes:
        rows: of each cell, from the top.
        columns: from the left.
        counts: of the activations in it.
        means: of these activations.
        members: the index of one of them, that nearest to the mean.
    """

    rows: Int64[np.ndarray, " k"]
    columns: Int64[np.ndarray, " k"]
    counts: Int64[np.ndarray, " k"]
    means: Float64[np.ndarray, "k c"]
    members: Int64[np.ndarray, " k"]


def choose_projection(projection: str) -> str:
    """``umap`` or ``pca``.

    Args:
        projection: as the setting has it; ``auto`` is UMAP where it is installed.

    Raises:
        JaxdreamError: UMAP is asked for and not installed.
    """
    installed = importlib.util.find_spec("umap") is not None
    if projection == "umap" and not installed:
        raise JaxdreamError(
            "--projection umap needs umap-learn: pip install 'jaxdream[atlas]', or take pca"
        )
    if projection == "auto":
        return "umap" if installed else "pca"
    return projection


def project(
    vectors: Float[np.ndarray, "n c"], projection: str, *, seed: int
) -> Float64[np.ndarray, "n 2"]:
    """Activations as points of a plane.

    Args:
        projection: ``umap``, or ``pca``: the two principal components.

    Raises:
        JaxdreamError: there are fewer than four.
    """
    if len(vectors) < 4:
        raise JaxdreamError(
            f"an atlas needs at least 4 activations, and there are {len(vectors)}: give more "
            "pictures"
        )
    return _umap(vectors, seed) if projection == "umap" else _principal(vectors)


def _principal(vectors: Float[np.ndarray, "n c"]) -> Float64[np.ndarray, "n 2"]:
    centred = np.asarray(vectors, np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1]
    # An eigenvector has no sign of its own.
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] < 0, -1, 1)
    points = centred @ axes
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def _umap(vectors: Float[np.ndarray, "n c"], seed: int) -> Float64[np.ndarray, "n 2"]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one thread, where there is a seed; of the compiler
        reducer = importlib.import_module("umap").UMAP(
            n_components=2,
            n_neighbors=min(_NEIGHBOURS, len(vectors) - 1),
            min_dist=_MINIMUM_DISTANCE,
            metric=_METRIC,
            random_state=seed,
        )
        return np.asarray(reducer.fit_transform(vectors), np.float64)


def lay_out(points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Points within the unit square, 0..1; one of each hundred at every side lies on its border."""
    low, high = np.percentile(points, _OUTLIERS, axis=0)
    return np.clip((points - low) / np.where(high > low, high - low, 1), 0, 1)


def chosen_grid(asked: int | None, activations: int) -> int:
    """Cells in a row and in a column: those asked for, or as many as the activations fill.

    Each cell's picture takes seconds to make, so few activations are not spread over many.
    """
    if asked is not None:
        return asked
    return min(max(round((activations / CELL_ACTIVATIONS) ** 0.5), 2), FULL_GRID)


def make_cells(
    vectors: Float[np.ndarray, "n c"],
    places: Float64[np.ndarray, "n 2"],
    *,
    grid: int,
    minimum: int,
) -> AtlasCells:
    """The cells of a grid, each with the mean of its activations.

    Args:
        places: of the activations in the unit square: x from the left, y from the bottom.
        minimum: activations that a cell needs.

    Raises:
        JaxdreamError: no cell has so many.
    """
    columns, rows = np.minimum((places * grid).astype(np.int64), grid - 1).T
    cells = (grid - 1 - rows) * grid + columns
    numbers, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    sums = np.zeros((len(numbers), vectors.shape[1]))
    np.add.at(sums, inverse, vectors)
    means = sums / counts[:, None]
    distances = np.linalg.norm(vectors - means[inverse], axis=1)
    order = np.lexsort((distances, inverse))
    members = order[np.concatenate([[0], counts.cumsum()[:-1]])]
    kept = counts >= minimum
    if not kept.any():
        raise JaxdreamError(
            f"no cell of {grid}x{grid} has {minimum} activations, the fullest has {counts.max()}: "
            "give more pictures or --samples, a smaller --grid or a smaller --cell-minimum"
        )
    return AtlasCells(
        numbers[kept] // grid, numbers[kept] % grid, counts[kept], means[kept], members[kept]
    )


def whitened(
    means: Float64[np.ndarray, "k c"], vectors: Float[np.ndarray, "n c"]
) -> Float64[np.ndarray, "k c"]:
    """Directions in which a cell's activations differ from all: times the inverse second moment.

    A dot product with a mean alone is largest for what all activations have in common. The moments
    are not centred, as in lucid's notebooks; a thousandth of the mean variance is added to each
    channel's, so that the inverse exists.
    """
    moments = vectors.astype(np.float64).T @ vectors.astype(np.float64) / len(vectors)
    ridge = _RIDGE * max(float(np.trace(moments)) / len(moments), 1e-12)
    return np.linalg.solve(moments + ridge * np.eye(len(moments)), means.T).T


def nearest_classes(
    model: Network,
    layer: str,
    means: Float64[np.ndarray, "k c"],
    average: Float64[np.ndarray, " c"],
    shape: tuple[int, ...],
) -> Int64[np.ndarray, " k"] | None:
    """The class that each cell speaks for, by the logit lens.

    The rest of the network is computed on a layer that has the cell's mean everywhere. The class
    is the one whose score is furthest above that of the average of all activations.

    Args:
        layer: its own name.
        average: of all activations.
        shape: of the layer on a picture.

    Returns:
        Indices of classes; None where the network has none, where its classes do not depend on the
        layer alone, and for wrapped networks, whose rest is not known.

    Source: nostalgebraist, "interpreting GPT: the logit lens", 2020; the atlas of 2019 has a linear
    approximation of the same.
    """
    if not isinstance(model, GraphNetwork) or model.graph.class_count is None or len(shape) != 3:
        return None
    rest = _rest(model.graph, layer)
    if {node.name for node in rest.needed(["logits"]) if not node.inputs} != {layer}:
        return None
    vectors = np.concatenate([average[None], means]).astype(np.float32)
    parts = []
    for first in range(0, len(vectors), _LENS_BATCH):
        part = vectors[first : first + _LENS_BATCH]
        filled = np.pad(part, ((0, _LENS_BATCH - len(part)), (0, 0)))
        found = _scores(model, filled, layer=layer, shape=(shape[0], shape[1]))
        parts.append(np.asarray(found, np.float64)[: len(part)])
    scores = np.concatenate(parts)
    return (scores[1:] - scores[0]).argmax(axis=1)


def _rest(graph: Graph, layer: str) -> Graph:
    """A network that begins with this layer."""
    return replace(graph, nodes={**graph.nodes, layer: Node(layer, Input(), ())})


@program(static_argnames=("layer", "shape"))
def _scores(
    model: GraphNetwork,
    vectors: Float[AnyArray, "n c"],
    *,
    layer: str,
    shape: tuple[int, int],
) -> Float[Array, "n classes"]:
    """The scores of all classes where a layer is one vector everywhere."""
    vectors = jnp.asarray(vectors)
    everywhere = jnp.broadcast_to(
        vectors[:, None, None, :], (len(vectors), *shape, vectors.shape[-1])
    )
    rest = _rest(model.graph, layer)

    def compute(x: Array) -> tuple[Array, ...]:
        return (evaluate(rest, x, ["logits"], model.apply)["logits"],)

    return compute_in(model.precision, compute, everywhere)[0].reshape(len(vectors), -1)
