"""The student as it would be exported: its BatchNorm folded, measured against the teacher."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from distillation import data, model
from distillation.model import Activations, DistillSpec, Pixels, Teacher, Tree
from distillation.rounds import full_batch
from distillation.steps import TrainState

CALIBRATION_SIDE, CALIBRATION_CROPS, CALIBRATION_BATCHES = 160, 32, 8
HELD_OUT_SIDE = 160
BATCH = 32


def calibrate(spec: DistillSpec, net: Tree, pictures: data.Pictures) -> dict[str, np.ndarray]:
    """The net with BatchNorm folded, at its mean statistics on crops of one size."""
    random = np.random.default_rng(0)
    measured = [
        _statistics(
            net, data.crops(pictures, random, CALIBRATION_CROPS, CALIBRATION_SIDE), spec=spec
        )
        for _ in range(CALIBRATION_BATCHES)
    ]
    mean = jax.tree.map(lambda *values: np.mean(np.stack(values), 0, dtype=np.float32), *measured)
    return model.fold(net, mean)


class Evaluator:
    """Measures the student on pictures that it was not trained on."""

    def __init__(
        self, spec: DistillSpec, shared: Path, pictures: data.Pictures, teacher: Teacher
    ) -> None:
        self.spec, self.pictures, self.teacher = spec, pictures, teacher
        self.sets = {
            "held_out": data.held_out(shared, HELD_OUT_SIDE),
            "photos": data.photographs(shared, HELD_OUT_SIDE),
        }

    def __call__(self, state: TrainState) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Figures by set and point, and the folded weights."""
        averaged = state.averaged
        folded = calibrate(self.spec, averaged["net"], self.pictures)
        figures = {}
        for name, images in self.sets.items():
            batches = [
                _compare(
                    folded,
                    averaged["adapters"],
                    self.teacher,
                    full_batch(images, first, BATCH),
                    spec=self.spec,
                )
                for first in range(0, len(images), BATCH)
            ]
            for key in batches[0]:
                figures[f"{name} {key}"] = float(np.mean([batch[key] for batch in batches]))
        return figures, folded


@partial(jax.jit, static_argnames="spec")
def _statistics(net: Tree, images: Pixels, *, spec: DistillSpec) -> Tree:
    """Means and variances of every convolution's output."""
    return model.forward_train(spec, net, images)[1]


@partial(jax.jit, static_argnames="spec")
def _compare(
    folded: Tree, adapters: Tree, teacher: Teacher, images: Pixels, *, spec: DistillSpec
) -> Activations:
    """Unexplained shares of variance, and how often both networks name the same class."""
    ours = model.forward_folded(spec, folded, images)
    theirs = model.teacher_features(spec, teacher, images, None)
    figures = model.unexplained(adapters, ours, theirs)
    figures["agreement"] = jnp.mean(ours[spec.logits].argmax(-1) == theirs[spec.logits].argmax(-1))
    return figures
