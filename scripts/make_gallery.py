"""Make the pictures of docs/gallery.md and docs/layers.md, from the photographs in docs/pictures.

    python scripts/make_gallery.py --googlenet bvlc_googlenet.caffemodel --inception FILE

A network whose weights are not given is taken from the cache, and left out if it is not there. Slow
on a CPU; ``--only`` makes some of the pictures.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import numpy as np

import jaxdream as jd
from jaxdream.algorithm.optimizers import named_optimizer
from jaxdream.images.contact_sheet import contact_sheet, enlarge
from jaxdream.models.network import Network
from jaxdream.objectives.labels import resolve_class
from jaxdream.visualization.filters import first_filters

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SIDE = 400  # longest side of a picture in a sheet
KEY = jax.random.key(2015)
CLASSES = ("banana", "dumbbell", "ant", "starfish")
TEACHER_BLOCKS = ("3a", "3b", "4a", "4c", "4e")
CHANNELS = (12, 55, 96, 160, 224, 288, 352, 400)


def fit(name: str, side: int = SIDE) -> np.ndarray:
    """A photograph of docs/pictures, resized to this longest side."""
    picture = jd.read_image(PICTURES / name)
    scale = side / max(picture.shape[:2])
    return np.asarray(jd.resize(picture, tuple(round(n * scale) for n in picture.shape[:2])))


def layers(model: Network) -> np.ndarray:
    """One photograph as every good layer dreams it."""
    cat = fit("chelsea.png")
    names = model.graph.good_layers
    dreams = [jd.dream(KEY, model, cat, objective=jd.objectives.layer(name)) for name in names]
    return contact_sheet([cat, *dreams], ["the photograph", *names], columns=2)


def settings(model: Network) -> np.ndarray:
    """One photograph and one layer, with different settings."""
    rocket = fit("rocket.jpg")
    variants: Mapping[str, dict] = {
        "the defaults": {},
        "--octaves 1": {"octaves": 1},
        "--octaves 6": {"octaves": 6},
        "--steps 30": {"steps": 30},
        "--octave-scale 1.8": {"octave_scale": 1.8},
        "--laplacian 4": {"optimizer": named_optimizer("classic", laplacian=4)},
        "--smooth 2": {"optimizer": named_optimizer("classic", smooth=2.0)},
        "--optimizer adam": {"optimizer": named_optimizer("adam")},
    }
    dreams = [jd.dream(KEY, model, rocket, **options) for options in variants.values()]
    return contact_sheet(dreams, list(variants), columns=2)


def teacher_and_student(teacher: Network) -> np.ndarray:
    """Photographs as the bundled network dreams them, each under the dream of its teacher."""
    student = jd.load_model("googlenet_mini")
    pictures, labels = [], []
    for photo in ("rocket.jpg", "chelsea.png", "coffee.jpg"):
        picture = fit(photo, 320)
        for network, model in (("teacher", teacher), ("student", student)):
            for block in TEACHER_BLOCKS:
                objective = jd.objectives.layer(f"inception_{block}/output")
                pictures.append(jd.dream(KEY, model, picture, objective=objective))
                labels.append(f"{block}, {network}")
    return contact_sheet(pictures, labels, columns=len(TEACHER_BLOCKS))


def guides(model: Network) -> np.ndarray:
    """Two photographs, each dreamed with the other as its guide."""
    cat, rocket = fit("chelsea.png"), fit("rocket.jpg")
    layer = "inception_3b/output"
    dreams = [
        jd.dream(KEY, model, picture, objective=jd.objectives.guide(model, guide, layer), steps=20)
        for picture, guide in ((cat, rocket), (rocket, cat))
    ]
    labels = ["a cat", "a rocket", "the cat, guided by the rocket", "the rocket, guided by the cat"]
    return contact_sheet([cat, rocket, *dreams], labels, columns=2)


def classes(model: Network) -> np.ndarray:
    """Pictures that the network is most certain of, for some classes."""
    objectives = [jd.objectives.logit(resolve_class(name).index) for name in CLASSES]
    return contact_sheet(list(jd.visualize(KEY, model, objectives)), CLASSES, columns=4)


def channels(model: Network) -> np.ndarray:
    """Some channels of the layer of 2015."""
    layer = "inception_4c/output"
    objectives = [jd.objectives.channel(layer, index) for index in CHANNELS]
    pictures = list(jd.visualize(KEY, model, objectives, size=144))
    return contact_sheet(pictures, [f"4c:{index}" for index in CHANNELS], columns=4)


def filters(model: Network) -> np.ndarray:
    """The first layer's kernels."""
    return contact_sheet([enlarge(kernel, 8) for kernel in first_filters(model)], gap=4)


def zoom(model: Network) -> np.ndarray:
    """Frames of a zoom."""
    frames = list(jd.iterate_zoom(KEY, model, fit("rocket.jpg", 320), frames=16))
    shown = range(0, 16, 3)
    return contact_sheet([frames[i] for i in shown], [f"frame {i + 1}" for i in shown], columns=2)


SHEETS: Mapping[str, tuple[str, Callable[[Network], np.ndarray]]] = {
    "layers_googlenet.jpg": ("googlenet", layers),
    "layers_inception_v3_2015.jpg": ("inception_v3_2015", layers),
    "layers_googlenet_mini.jpg": ("googlenet_mini", layers),
    "teacher_and_student.jpg": ("googlenet", teacher_and_student),
    "settings.jpg": ("googlenet", settings),
    "guides.jpg": ("googlenet", guides),
    "classes.jpg": ("googlenet", classes),
    "channels.jpg": ("googlenet", channels),
    "filters.png": ("googlenet", filters),
    "zoom.jpg": ("googlenet", zoom),
}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="make the pictures of the documentation")
    parser.add_argument("--googlenet", metavar="FILE", help="weights of googlenet")
    parser.add_argument("--inception", metavar="FILE", help="weights of inception_v3_2015")
    parser.add_argument("--only", nargs="+", choices=SHEETS, default=list(SHEETS), metavar="NAME")
    parser.add_argument("-o", "--output", type=Path, default=PICTURES, metavar="FOLDER")
    options = parser.parse_args()
    weights = {"googlenet": options.googlenet, "inception_v3_2015": options.inception}
    for name in options.only:
        network, make = SHEETS[name]
        try:
            model = jd.load_model(network, weights=weights.get(network))
        except jd.JaxdreamError as error:
            print(f"{name} left out: {error}")
            continue
        jd.write_image(options.output / name, make(model), quality=85)
        print(f"wrote {options.output / name}", flush=True)


if __name__ == "__main__":
    main()
