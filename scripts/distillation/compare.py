"""How well the student matches its teacher: on photographs, and in the student's dreams.

For 3b, 4c and 4e: the share of the teacher's variance that a 1x1 adapter, fitted by least squares
on other pictures, does not explain; and linear CKA (Kornblith et al. 2019), which needs no fitting.
Then the student dreams, and the energy of the *teacher's* 4c is measured before and after, beside
its growth in the teacher's own dream.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

import jaxdream as jd
from distillation import data
from distillation.internals import load_student

POINTS = tuple(f"inception_{block}/output" for block in ("3b", "4c", "4e"))
DREAMED_LAYER = "inception_4c/output"
SIDE, BATCH = 160, 16
FITTED_CROPS = 1024  # training crops that the adapters are fitted on
RIDGE = 1e-4  # times the mean variance of the student's channels
DREAMED_PHOTOS = ("clouds.jpg", "landscape.jpg", "flowers.jpg")

Pictures = UInt8[np.ndarray, "n h w 3"]
Features = dict[str, Float[np.ndarray, "m c"]]


@partial(jax.jit, static_argnums=2)
def _activations(model: jd.Network, images: Array, points: tuple[str, ...]) -> dict[str, Array]:
    return model(model.preprocess(images.astype(jnp.float32)), layers=points)


def features(model: jd.Network, images: Pictures, points: Sequence[str] = POINTS) -> Features:
    """Activations at the points, one row per position, of all pictures."""
    batches = []
    for first in range(0, len(images), BATCH):
        chunk = images[first : first + BATCH]
        full = jnp.asarray(np.resize(chunk, (BATCH, *images.shape[1:])))
        found = _activations(model, full, (*points,))
        batches.append({name: np.asarray(value)[: len(chunk)] for name, value in found.items()})
    return {
        name: np.concatenate([b[name].reshape(-1, b[name].shape[-1]) for b in batches])
        for name in points
    }


class Moments:
    """Sums over positions from which adapters and CKA follow, gathered batch by batch."""

    def __init__(self, ours: int, theirs: int) -> None:
        self.sums = np.zeros((ours + theirs + 1,) * 2)
        self.ours = ours

    def add(self, ours: Float[np.ndarray, "m a"], theirs: Float[np.ndarray, "m b"]) -> None:
        rows = np.concatenate([ours, theirs, np.ones((len(ours), 1), np.float32)], axis=1)
        self.sums += rows.T @ rows

    def covariances(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of ours with ours, ours with theirs, theirs with theirs."""
        count, mean = self.sums[-1, -1], self.sums[:-1, -1] / self.sums[-1, -1]
        covariance = self.sums[:-1, :-1] / count - np.outer(mean, mean)
        a = self.ours
        return covariance[:a, :a], covariance[:a, a:], covariance[a:, a:]

    def adapter(self) -> Float[np.ndarray, "a b"]:
        """The linear map that predicts theirs from ours best, means subtracted."""
        ours, cross, _ = self.covariances()
        ridge = RIDGE * np.trace(ours) / len(ours)
        return np.linalg.solve(ours + ridge * np.eye(len(ours)), cross)

    def unexplained(self, adapter: Float[np.ndarray, "a b"]) -> float:
        """Share of their variance that the adapter does not explain (means are subtracted)."""
        ours, cross, theirs = self.covariances()
        left = np.trace(theirs) - 2 * np.sum(adapter * cross) + np.sum(adapter * (ours @ adapter))
        return float(left / np.trace(theirs))

    def cka(self) -> float:
        """Linear centred kernel alignment, 0 to 1."""
        ours, cross, theirs = self.covariances()
        return float(np.sum(cross**2) / np.linalg.norm(ours) / np.linalg.norm(theirs))


def moments(student: jd.Network, teacher: jd.Network, images: Pictures) -> dict[str, Moments]:
    """Of all positions of the pictures, by point."""
    found = {p: Moments(student.graph.channels[p], teacher.graph.channels[p]) for p in POINTS}
    for first in range(0, len(images), BATCH * 4):
        chunk = images[first : first + BATCH * 4]
        ours, theirs = features(student, chunk), features(teacher, chunk)
        for point in POINTS:
            found[point].add(ours[point], theirs[point])
    return found


def similarity(
    student: jd.Network, teacher: jd.Network, shared: Path, cache: Path
) -> dict[str, float]:
    """Unexplained variance and CKA by point, on held-out pictures and on photographs."""
    random = np.random.default_rng(7)
    training = data.crops(data.load(shared, cache), random, FITTED_CROPS, SIDE)
    fitted = {p: m.adapter() for p, m in moments(student, teacher, training).items()}
    figures = {}
    for name, images in (
        ("held_out", data.held_out(shared, SIDE)),
        ("photos", data.photographs(shared, SIDE)),
    ):
        for point, found in moments(student, teacher, images).items():
            figures[f"{name} {point} unexplained"] = found.unexplained(fitted[point])
            figures[f"{name} {point} cka"] = found.cka()
    return figures


def energy_growth(
    student: jd.Network, teacher: jd.Network, shared: Path, side: int
) -> dict[str, float]:
    """The factor by which each network's dream raises the teacher's 4c energy, by photograph."""
    figures = {}
    for name in DREAMED_PHOTOS:
        photo = jd.read_image(shared / "photos" / name)
        photo = photo[:side, :side]
        before = energy(teacher, photo)
        for dreamer, model in (("student", student), ("teacher", teacher)):
            dreamed = jd.dream(
                jax.random.key(0),
                model,
                photo,
                objective=jd.objectives.layer(DREAMED_LAYER),
                octaves=3,
            )
            figures[f"{name} {dreamer}"] = energy(teacher, np.asarray(dreamed)) / before
    return figures


def energy(model: jd.Network, image: Float[np.ndarray, "h w 3"]) -> float:
    """Mean square of the activations of the dreamed layer."""
    found = model(model.preprocess(jnp.asarray(image))[None], layers=(DREAMED_LAYER,))
    return float(jnp.square(found[DREAMED_LAYER]).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="compare the small network with its teacher")
    parser.add_argument("--shared", type=Path, required=True, help="the reference material")
    parser.add_argument("--state", type=Path, required=True, help="folder of decoded pictures")
    parser.add_argument("--weights", type=Path, help="the student's; by default the bundled one")
    parser.add_argument("--widths", type=float, nargs=3, help="if not those of the bundled one")
    parser.add_argument("--side", type=int, default=320, help="of the pictures dreamed")
    options = parser.parse_args(arguments)
    try:
        student = load_student(options.weights, options.widths, DREAMED_LAYER)
        teacher = jd.load_model(
            "googlenet", weights=options.shared / "weights" / "bvlc_googlenet.caffemodel"
        )
        options.state.mkdir(parents=True, exist_ok=True)
        figures = similarity(student, teacher, options.shared, options.state)
        growth = energy_growth(student, teacher, options.shared, options.side)
    except (jd.JaxdreamError, OSError) as error:
        sys.exit(f"compare_mini: {error}")
    figures |= {f"teacher's 4c energy, times: {name}": value for name, value in growth.items()}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
