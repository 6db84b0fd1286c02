"""DeepDream in JAX: the look of 2015, from pretrained Inception networks.

The pixel convention everywhere outside a network: float32, RGB, (h, w, 3), 0..255. Names are
imported when first used, so that ``import jaxdream`` and ``jaxdream --help`` are immediate.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxdream import objectives
    from jaxdream.algorithm.ascent import (
        AscentState,
        StepInfo,
        ascent_step,
        objective_and_gradient,
        start_ascent,
    )
    from jaxdream.algorithm.jitter import draw_offsets, random_roll, roll
    from jaxdream.algorithm.octaves import octave_bases, plan_octaves
    from jaxdream.algorithm.optimizers import (
        classic_optimizer,
        named_optimizer,
        normalize_by_mean_abs,
        normalize_laplacian,
        smooth_gradient,
    )
    from jaxdream.batches import dream_batch
    from jaxdream.deepdream import DreamState, dream, iterate_dream
    from jaxdream.display import preview, show_dream
    from jaxdream.errors import JaxdreamError
    from jaxdream.execution.planner import OctavePlan, plan_dream
    from jaxdream.execution.shapes import Canvases, plan_canvases
    from jaxdream.execution.sharding import Sharding, shard_pictures, shard_rows
    from jaxdream.folder.run import dream_files, picture_seed
    from jaxdream.images.animation import write_animation
    from jaxdream.images.picture_files import read_image, write_image
    from jaxdream.images.resample import resize, warp
    from jaxdream.models.network import Network
    from jaxdream.models.weights.load import load_model
    from jaxdream.objectives.text import parse_objective
    from jaxdream.visualization.fourier import FourierImage
    from jaxdream.visualization.transforms import RandomTransforms
    from jaxdream.visualization.visualize import VisualizeState, iterate_visualize, visualize
    from jaxdream.zooming import iterate_zoom, plan_zoom

_HOME = {
    "AscentState": "algorithm.ascent",
    "Canvases": "execution.shapes",
    "DreamState": "deepdream",
    "FourierImage": "visualization.fourier",
    "JaxdreamError": "errors",
    "Network": "models.network",
    "OctavePlan": "execution.planner",
    "RandomTransforms": "visualization.transforms",
    "Sharding": "execution.sharding",
    "StepInfo": "algorithm.ascent",
    "VisualizeState": "visualization.visualize",
    "ascent_step": "algorithm.ascent",
    "classic_optimizer": "algorithm.optimizers",
    "draw_offsets": "algorithm.jitter",
    "dream": "deepdream",
    "dream_batch": "batches",
    "dream_files": "folder.run",
    "iterate_dream": "deepdream",
    "iterate_visualize": "visualization.visualize",
    "iterate_zoom": "zooming",
    "load_model": "models.weights.load",
    "named_optimizer": "algorithm.optimizers",
    "normalize_by_mean_abs": "algorithm.optimizers",
    "normalize_laplacian": "algorithm.optimizers",
    "objective_and_gradient": "algorithm.ascent",
    "octave_bases": "algorithm.octaves",
    "parse_objective": "objectives.text",
    "plan_canvases": "execution.shapes",
    "plan_dream": "execution.planner",
    "plan_octaves": "algorithm.octaves",
    "picture_seed": "folder.run",
    "plan_zoom": "zooming",
    "preview": "display",
    "random_roll": "algorithm.jitter",
    "read_image": "images.picture_files",
    "resize": "images.resample",
    "roll": "algorithm.jitter",
    "shard_pictures": "execution.sharding",
    "shard_rows": "execution.sharding",
    "show_dream": "display",
    "smooth_gradient": "algorithm.optimizers",
    "start_ascent": "algorithm.ascent",
    "visualize": "visualization.visualize",
    "warp": "images.resample",
    "write_animation": "images.animation",
    "write_image": "images.picture_files",
}

__all__ = [
    "AscentState",
    "Canvases",
    "DreamState",
    "FourierImage",
    "JaxdreamError",
    "Network",
    "OctavePlan",
    "RandomTransforms",
    "Sharding",
    "StepInfo",
    "VisualizeState",
    "ascent_step",
    "classic_optimizer",
    "draw_offsets",
    "dream",
    "dream_batch",
    "dream_files",
    "iterate_dream",
    "iterate_visualize",
    "iterate_zoom",
    "load_model",
    "named_optimizer",
    "normalize_by_mean_abs",
    "normalize_laplacian",
    "objective_and_gradient",
    "objectives",
    "octave_bases",
    "parse_objective",
    "picture_seed",
    "plan_canvases",
    "plan_dream",
    "plan_octaves",
    "plan_zoom",
    "preview",
    "random_roll",
    "read_image",
    "resize",
    "roll",
    "shard_pictures",
    "shard_rows",
    "show_dream",
    "smooth_gradient",
    "start_ascent",
    "visualize",
    "warp",
    "write_animation",
    "write_image",
]


def __getattr__(name: str):
    if name == "__version__":
        return version("jaxdream")
    if name == "objectives":
        return importlib.import_module("jaxdream.objectives")
    if name in _HOME:
        return getattr(importlib.import_module(f"jaxdream.{_HOME[name]}"), name)
    raise AttributeError(f"module 'jaxdream' has no attribute {name!r}")
