"""Rounds of training: the teacher computes features of some crops once, each is used several times.

Its forward pass costs about as much as a step of the student. Which crops, and in which order,
follows from the seed and the round's number.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from distillation import data
from distillation.model import Activations, Pixels
from distillation.settings import TrainSettings

Batch = tuple[Pixels, Activations, Array]  # crops, the teacher's features, phase of subsampling


class Round(NamedTuple):
    """Crops with the teacher's features of them, and the order in which they are used."""

    images: np.ndarray
    targets: dict[str, np.ndarray]
    phase: Array
    order: np.ndarray  # (steps, batch), indices of crops


class Rounds:
    """Makes rounds from the seed and their number; cuts the crops of the next one meanwhile."""

    def __init__(
        self,
        compute_targets: Callable[[Array, Array], Activations],
        settings: TrainSettings,
        pictures: data.Pictures,
    ) -> None:
        self.compute_targets, self.settings, self.pictures = compute_targets, settings, pictures
        self.executor = ThreadPoolExecutor(1)
        self.crops: dict[int, Future[np.ndarray]] = {}
        self.current: tuple[int, Round] | None = None

    def batch(self, step: int) -> Batch:
        """The batch of one step."""
        number, row = divmod(step, self.settings.steps_per_round)
        if self.current is None or self.current[0] != number:
            self.current = number, self.make(number)
        current = self.current[1]
        chosen = current.order[row]
        targets = {name: value[chosen] for name, value in current.targets.items()}
        return (
            jnp.asarray(current.images[chosen]),
            jax.tree.map(jnp.asarray, targets),
            current.phase,
        )

    def batch_size(self, step: int) -> int:
        """Crops in the batch of one step."""
        return self._shape(step // self.settings.steps_per_round)[1]

    def make(self, number: int) -> Round:
        """The round of this number."""
        steps = self.settings.steps_per_round
        _, batch, count = self._shape(number)
        images = self._cut(number).result()
        for old in [key for key in self.crops if key <= number]:
            del self.crops[old]
        self._cut(number + 1)
        random = np.random.default_rng((self.settings.seed, number, 1))
        phase = jnp.asarray(random.integers(4), jnp.int32)
        batches = [
            jax.tree.map(np.asarray, self.compute_targets(full_batch(images, first, batch), phase))
            for first in range(0, count, batch)
        ]
        targets = {name: np.concatenate([b[name] for b in batches])[:count] for name in batches[0]}
        repeats = -(-batch * steps // count)
        order = np.concatenate([random.permutation(count) for _ in range(repeats)])
        return Round(images, targets, phase, order[: batch * steps].reshape(steps, batch))

    def _shape(self, number: int) -> tuple[int, int, int]:
        """Side of the crops of a round, crops in a batch, crops in all."""
        side = self.settings.sides[number % len(self.settings.sides)]
        batch = max(1, self.settings.pixels // side**2)
        return side, batch, -(-batch * self.settings.steps_per_round // self.settings.reuse)

    def _cut(self, number: int) -> Future[np.ndarray]:
        side, _, count = self._shape(number)
        if number not in self.crops:
            random = np.random.default_rng((self.settings.seed, number, 0))
            self.crops[number] = self.executor.submit(
                data.crops, self.pictures, random, count, side
            )
        return self.crops[number]


def full_batch(images: UInt8[np.ndarray, "n h w 3"], first: int, batch: int) -> Pixels:
    """A batch of full size, so that nothing is recompiled: the last is filled from the front."""
    return jnp.asarray(np.take(images, range(first, first + batch), axis=0, mode="wrap"))
