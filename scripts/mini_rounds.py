"""Rounds of ``train_mini.py``: the teacher looks once at crops that are studied several times.

Its forward pass costs about as much as a step of the student, so a round keeps what it saw. Which
crops, and in which order, follows from the seed and the round's number.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mini_data
import numpy as np
from jaxtyping import Array, UInt8
from mini_model import Activations, Pixels

Batch = tuple[Pixels, Activations, Array]  # crops, the teacher's view, phase of its thinning


class Round(NamedTuple):
    """Crops with the teacher's view of them, and the order in which they are studied."""

    images: np.ndarray
    theirs: dict[str, np.ndarray]
    phase: Array
    order: np.ndarray  # (steps, batch), places of crops


class Rounds:
    """Makes rounds, each from the seed and its number; the next one's crops while one is used."""

    def __init__(
        self,
        teach: Callable[[Array, Array], Activations],
        options: argparse.Namespace,
        data: mini_data.Pictures,
    ) -> None:
        self.teach, self.options, self.data = teach, options, data
        self.maker = ThreadPoolExecutor(1)
        self.coming: dict[int, Future[np.ndarray]] = {}
        self.current: tuple[int, Round] | None = None

    def batch(self, step: int) -> Batch:
        """What one step learns from."""
        number, place = divmod(step, self.options.round)
        if self.current is None or self.current[0] != number:
            self.current = number, self.make(number)
        round_ = self.current[1]
        places = round_.order[place]
        theirs = {name: value[places] for name, value in round_.theirs.items()}
        return jnp.asarray(round_.images[places]), jax.tree.map(jnp.asarray, theirs), round_.phase

    def shape(self, number: int) -> tuple[int, int, int]:
        """Side of the crops of a round, crops in a batch, crops in all."""
        side = self.options.sides[number % len(self.options.sides)]
        batch = max(1, self.options.pixels // side**2)
        return side, batch, -(-batch * self.options.round // self.options.reuse)

    def make(self, number: int) -> Round:
        """The round of this number."""
        _, batch, count = self.shape(number)
        images = self._cut(number).result()
        for old in [key for key in self.coming if key <= number]:
            del self.coming[old]
        self._cut(number + 1)
        random = np.random.default_rng((self.options.seed, number, 1))
        phase = jnp.asarray(random.integers(4), jnp.int32)
        looks = [
            jax.tree.map(np.asarray, self.teach(chunk, phase))
            for chunk in (whole_batch(images, first, batch) for first in range(0, count, batch))
        ]
        theirs = {name: np.concatenate([look[name] for look in looks])[:count] for name in looks[0]}
        repeats = -(-batch * self.options.round // count)
        order = np.concatenate([random.permutation(count) for _ in range(repeats)])
        order = order[: batch * self.options.round].reshape(self.options.round, batch)
        return Round(images, theirs, phase, order)

    def _cut(self, number: int) -> Future[np.ndarray]:
        side, _, count = self.shape(number)
        if number not in self.coming:
            random = np.random.default_rng((self.options.seed, number, 0))
            self.coming[number] = self.maker.submit(mini_data.crops, self.data, random, count, side)
        return self.coming[number]


def whole_batch(images: UInt8[np.ndarray, "n h w 3"], first: int, batch: int) -> Pixels:
    """A batch of full size, so that nothing is compiled anew; the last begins again in front."""
    return jnp.asarray(np.take(images, range(first, first + batch), axis=0, mode="wrap"))
