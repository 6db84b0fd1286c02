"""How much of the teacher is in the student: on photographs, and in the student's dreams.

    python scripts/compare_mini.py --shared DIR --state DIR [--weights FILE] [--widths A B C]

For 3b, 4c and 4e: the share of the teacher's variance that a 1x1 adapter, fitted by least squares
on other pictures, does not explain; and linear CKA (Kornblith et al. 2019), which needs no fitting.
Then the student dreams, and the energy of the *teacher's* 4c is measured before and after, beside
what it is after the teacher's own dream.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import mini_data
import numpy as np
from jaxtyping import Array, Float, UInt8

import jaxdream as jd
from jaxdream import objectives
from jaxdream.models.googlenet import googlenet
from jaxdream.models.network import Network
from jaxdream.models.weights.check import check_weights, weights_sha256
from jaxdream.models.weights.porting import read_weights
from jaxdream.models.weights.registry import BUNDLED_MODEL, record_of

POINTS = tuple(f"inception_{block}/output" for block in ("3b", "4c", "4e"))
DREAMED = "inception_4c/output"
SIDE, BATCH = 160, 16
FITTED_CROPS = 1024  # training crops that the adapters are fitted on
RIDGE = 1e-4  # times the mean variance of the student's channels
DREAMT = ("clouds.jpg", "landscape.jpg", "flowers.jpg")

Pictures = UInt8[np.ndarray, "n h w 3"]
Features = dict[str, Float[np.ndarray, "m c"]]


@partial(jax.jit, static_argnums=2)
def _look(model: Network, images: Array, points: tuple[str, ...]) -> dict[str, Array]:
    return model(model.preprocess(images.astype(jnp.float32)), layers=points)


def features(model: Network, images: Pictures, points: Sequence[str] = POINTS) -> Features:
    """Activations at the points, one row per position, of all pictures."""
    looks = []
    for first in range(0, len(images), BATCH):
        chunk = images[first : first + BATCH]
        look = _look(model, jnp.asarray(np.resize(chunk, (BATCH, *images.shape[1:]))), (*points,))
        looks.append({name: np.asarray(value)[: len(chunk)] for name, value in look.items()})
    return {
        name: np.concatenate([look[name].reshape(-1, look[name].shape[-1]) for look in looks])
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
        whole = self.sums[:-1, :-1] / count - np.outer(mean, mean)
        a = self.ours
        return whole[:a, :a], whole[:a, a:], whole[a:, a:]

    def adapter(self) -> Float[np.ndarray, "a b"]:
        """The linear map that predicts theirs from ours best (means apart)."""
        ours, cross, _ = self.covariances()
        ridge = RIDGE * np.trace(ours) / len(ours)
        return np.linalg.solve(ours + ridge * np.eye(len(ours)), cross)

    def unexplained(self, adapter: Float[np.ndarray, "a b"]) -> float:
        """Share of their variance that the adapter, fitted elsewhere, leaves (the mean is free)."""
        ours, cross, theirs = self.covariances()
        left = np.trace(theirs) - 2 * np.sum(adapter * cross) + np.sum(adapter * (ours @ adapter))
        return float(left / np.trace(theirs))

    def cka(self) -> float:
        """Linear centred kernel alignment, 0 to 1."""
        ours, cross, theirs = self.covariances()
        return float(np.sum(cross**2) / np.linalg.norm(ours) / np.linalg.norm(theirs))


def moments(student: Network, teacher: Network, images: Pictures) -> dict[str, Moments]:
    """Of all positions of the pictures, by point."""
    made = {p: Moments(student.graph.channels[p], teacher.graph.channels[p]) for p in POINTS}
    for first in range(0, len(images), BATCH * 4):
        chunk = images[first : first + BATCH * 4]
        ours, theirs = features(student, chunk), features(teacher, chunk)
        for point in POINTS:
            made[point].add(ours[point], theirs[point])
    return made


def likeness(student: Network, teacher: Network, shared: Path, cache: Path) -> dict[str, float]:
    """Unexplained variance and CKA by point, on held-out pictures and on photographs."""
    random = np.random.default_rng(7)
    training = mini_data.crops(mini_data.load(shared, cache), random, FITTED_CROPS, SIDE)
    fitted = {p: m.adapter() for p, m in moments(student, teacher, training).items()}
    figures = {}
    for name, images in (
        ("held_out", mini_data.held_out(shared, SIDE)),
        ("photos", mini_data.photographs(shared, SIDE)),
    ):
        for point, made in moments(student, teacher, images).items():
            figures[f"{name} {point} unexplained"] = made.unexplained(fitted[point])
            figures[f"{name} {point} cka"] = made.cka()
    return figures


def excitement(student: Network, teacher: Network, shared: Path, side: int) -> dict[str, float]:
    """How many times the teacher's 4c energy grows when each of them dreams, by photograph."""
    figures = {}
    for name in DREAMT:
        photo = jd.read_image(shared / "photos" / name)
        photo = photo[:side, :side]
        before = _energy(teacher, photo)
        for who, model in (("student", student), ("teacher", teacher)):
            dreamed = jd.dream(
                jax.random.key(0), model, photo, objective=objectives.layer(DREAMED), octaves=3
            )
            figures[f"{name} {who}"] = _energy(teacher, np.asarray(dreamed)) / before
    return figures


def _energy(model: Network, image: Float[np.ndarray, "h w 3"]) -> float:
    look = model(model.preprocess(jnp.asarray(image))[None], layers=(DREAMED,))
    return float(jnp.square(look[DREAMED]).mean())


def student_of(path: Path | None, widths: Sequence[float] | None) -> Network:
    """The bundled network, or one that ``train_mini.py`` exported, of other widths if given."""
    if widths is None:
        return jd.load_model(BUNDLED_MODEL, weights=path)
    early, middle, late = widths
    graph, record = googlenet(width=(early, middle, late), lrn=False), record_of(BUNDLED_MODEL)
    if path is None:
        raise jd.JaxdreamError("other widths need the file of their weights: --weights FILE")
    arrays = read_weights(path)
    check_weights(arrays, graph, source=path)
    return Network(
        record.model, graph, record.preprocessing, DREAMED, arrays, weights_sha256(arrays)
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="compare the small network with its teacher")
    parser.add_argument("--shared", type=Path, required=True, help="the reference material")
    parser.add_argument("--state", type=Path, required=True, help="folder of decoded pictures")
    parser.add_argument("--weights", type=Path, help="the student's; by default the bundled one")
    parser.add_argument("--widths", type=float, nargs=3, help="if not those of the bundled one")
    parser.add_argument("--side", type=int, default=320, help="of the pictures dreamed")
    options = parser.parse_args()
    try:
        student = student_of(options.weights, options.widths)
        teacher = jd.load_model(
            "googlenet", weights=options.shared / "weights" / "bvlc_googlenet.caffemodel"
        )
        options.state.mkdir(parents=True, exist_ok=True)
        figures = likeness(student, teacher, options.shared, options.state)
        rises = excitement(student, teacher, options.shared, options.side)
    except (jd.JaxdreamError, OSError) as error:
        sys.exit(f"compare_mini: {error}")
    figures |= {f"teacher's 4c energy, times: {name}": value for name, value in rises.items()}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
