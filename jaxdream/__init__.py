"""DeepDream in JAX: the look of 2015, from pretrained Inception networks.

The pixel convention everywhere outside a network: float32, RGB, (h, w, 3), 0..255. Names are
imported when first used, so that ``import jaxdream`` and ``jaxdream --help`` are immediate.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxdream import objectives
    from jaxdream.animation import write_animation
    from jaxdream.ascent import (
        AscentState,
        StepInfo,
        ascent_step,
        objective_and_gradient,
        start_ascent,
    )
    from jaxdream.batches import dream_batch
    from jaxdream.canvas import Canvases, plan_canvases
    from jaxdream.deepdream import DreamState, dream, iterate_dream
    from jaxdream.devices import Sharding, shard_pictures, shard_rows
    from jaxdream.display import preview, show_dream
    from jaxdream.dreaming_files import dream_files, picture_seed
    from jaxdream.errors import JaxdreamError
    from jaxdream.fourier import FourierImage
    from jaxdream.images import read_image, write_image
    from jaxdream.jitter import draw_offsets, random_roll, roll
    from jaxdream.models.network import Network
    from jaxdream.models.store import load_model
    from jaxdream.objective_text import parse_objective
    from jaxdream.octaves import octave_bases, plan_octaves
    from jaxdream.optimizers import (
        classic_optimizer,
        named_optimizer,
        normalize_by_mean_abs,
        normalize_laplacian,
        smooth_gradient,
    )
    from jaxdream.plan import OctavePlan, plan_dream
    from jaxdream.resample import resize, warp
    from jaxdream.robustness import Robustness
    from jaxdream.visualization import VisualizeState, iterate_visualize, visualize
    from jaxdream.zooming import iterate_zoom, plan_zoom

_HOME = {
    "AscentState": "ascent",
    "Canvases": "canvas",
    "DreamState": "deepdream",
    "FourierImage": "fourier",
    "JaxdreamError": "errors",
    "Network": "models.network",
    "Robustness": "robustness",
    "OctavePlan": "plan",
    "Sharding": "devices",
    "StepInfo": "ascent",
    "VisualizeState": "visualization",
    "ascent_step": "ascent",
    "classic_optimizer": "optimizers",
    "draw_offsets": "jitter",
    "dream": "deepdream",
    "dream_batch": "batches",
    "dream_files": "dreaming_files",
    "iterate_dream": "deepdream",
    "iterate_visualize": "visualization",
    "iterate_zoom": "zooming",
    "load_model": "models.store",
    "named_optimizer": "optimizers",
    "normalize_by_mean_abs": "optimizers",
    "normalize_laplacian": "optimizers",
    "objective_and_gradient": "ascent",
    "octave_bases": "octaves",
    "parse_objective": "objective_text",
    "plan_canvases": "canvas",
    "plan_dream": "plan",
    "plan_octaves": "octaves",
    "picture_seed": "dreaming_files",
    "plan_zoom": "zooming",
    "preview": "display",
    "random_roll": "jitter",
    "read_image": "images",
    "resize": "resample",
    "roll": "jitter",
    "shard_pictures": "devices",
    "shard_rows": "devices",
    "show_dream": "display",
    "smooth_gradient": "optimizers",
    "start_ascent": "ascent",
    "visualize": "visualization",
    "warp": "resample",
    "write_animation": "animation",
    "write_image": "images",
}

__all__ = [
    "AscentState",
    "Canvases",
    "DreamState",
    "FourierImage",
    "JaxdreamError",
    "Network",
    "OctavePlan",
    "Robustness",
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
