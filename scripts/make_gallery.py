"""Make the pictures of docs/gallery.md, docs/layers.md and the page in a browser.

They are made from the photographs in docs/pictures.

    python scripts/make_gallery.py --googlenet bvlc_googlenet.caffemodel --inception FILE

A network whose weights are not given is taken from the cache or the hub; if it is in neither, its
pictures are left out. All together take long on a CPU; ``--only`` makes some of them. ``page`` is
all that jaxdream/web/pictures has.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import numpy as np

import jaxdream as jd
from jaxdream.images.contact_sheet import enlarge
from jaxdream.images.noise import noise_picture
from jaxdream.images.picture_files import Picture
from jaxdream.images.seamless import make_seamless
from jaxdream.settings.looks import LOOKS

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
PAGE_PICTURES = ROOT / "jaxdream" / "web" / "pictures"
SIDE = 400  # longest side of a picture in a sheet
KEY = jax.random.key(2015)
CLASSES = ("banana", "dumbbell", "ant", "starfish")
TEACHER_BLOCKS = ("3a", "3b", "4a", "4c", "4e")
CHANNELS = (12, 55, 96, 160, 224, 288, 352, 400)


def fit(name: str, side: int = SIDE) -> np.ndarray:
    """A photograph of docs/pictures, resized to this longest side."""
    return np.asarray(jd.resize(jd.read_image(PICTURES / name), longest=side))


def layers(model: jd.Network) -> np.ndarray:
    """One photograph as every good layer dreams it."""
    palace = fit("china.jpg", 480)
    names = model.graph.good_layers
    dreams = [jd.dream(KEY, model, palace, name, steps=20) for name in names]
    return jd.contact_sheet([palace, *dreams], ["the photograph", *names], columns=2)


def settings(model: jd.Network) -> np.ndarray:
    """One photograph and one layer, with different settings."""
    rocket = fit("rocket.jpg")
    variants: Mapping[str, dict] = {
        "the defaults": {},
        "--octaves 1": {"octaves": 1},
        "--octaves 6": {"octaves": 6},
        "--steps 30": {"steps": 30},
        "--octave-scale 1.8": {"octave_scale": 1.8},
        "--laplacian 4": {"laplacian": 4},
        "--smooth 2": {"smooth": 2.0},
        "--optimizer adam": {"optimizer": "adam"},
    }
    dreams = [jd.dream(KEY, model, rocket, **options) for options in variants.values()]
    return jd.contact_sheet(dreams, list(variants), columns=2)


def teacher_and_student(teacher: jd.Network) -> np.ndarray:
    """Photographs as the bundled network dreams them, each under the dream of its teacher."""
    student = jd.load_model("googlenet_mini")
    pictures, labels = [], []
    for photo in ("rocket.jpg", "chelsea.png", "coffee.jpg"):
        picture = fit(photo, 320)
        for network, model in (("teacher", teacher), ("student", student)):
            for block in TEACHER_BLOCKS:
                pictures.append(jd.dream(KEY, model, picture, block))
                labels.append(f"{block}, {network}")
    return jd.contact_sheet(pictures, labels, columns=len(TEACHER_BLOCKS))


def guides(model: jd.Network) -> np.ndarray:
    """Two photographs, each dreamed with the other as its guide."""
    cat, rocket = fit("chelsea.png"), fit("rocket.jpg")
    dreams = [
        jd.dream(KEY, model, picture, jd.objectives.guide(model, guide, "3b"), steps=20)
        for picture, guide in ((cat, rocket), (rocket, cat))
    ]
    labels = ["a cat", "a rocket", "the cat, guided by the rocket", "the rocket, guided by the cat"]
    return jd.contact_sheet([cat, rocket, *dreams], labels, columns=2)


def classes(model: jd.Network) -> np.ndarray:
    """Pictures on which the network's score of a class is large."""
    objectives = [jd.objectives.logit(name) for name in CLASSES]
    return jd.contact_sheet(list(jd.visualize(KEY, model, objectives)), CLASSES, columns=4)


def channels(model: jd.Network) -> np.ndarray:
    """The energies of some channels of the layer of 2015."""
    objectives = [jd.objectives.channel_energy("4c", index) for index in CHANNELS]
    pictures = list(jd.visualize(KEY, model, objectives, size=144))
    return jd.contact_sheet(pictures, [f"4c:{index}" for index in CHANNELS], columns=4)


def filters(model: jd.Network) -> np.ndarray:
    """The first layer's kernels."""
    return jd.contact_sheet([enlarge(kernel, 8) for kernel in jd.first_filters(model)], gap=4)


def zoom(model: jd.Network) -> np.ndarray:
    """Frames of a zoom."""
    states = jd.iterate_zoom(KEY, model, fit("china.jpg", 320), frames=51, steps=5, octaves=3)
    frames = [state.image for state in states if state.is_finished]
    shown = range(0, 51, 10)
    return jd.contact_sheet(
        [frames[i] for i in shown], [f"frame {i + 1}" for i in shown], columns=2
    )


def _panned(name: str, count: int) -> list[np.ndarray]:
    """The frames of a camera that moves over a photograph: uint8."""
    photo = fit(name, 480).round().astype(np.uint8)
    return [photo[60 + t : 260 + t, 10 + 5 * t : 330 + 5 * t] for t in range(count)]


def video(model: jd.Network) -> np.ndarray:
    """Three frames of a video in a row, dreamed one by one, and as a video."""
    frames, shown = _panned("china.jpg", 9), (6, 7, 8)
    alone = [jd.dream(KEY, model, frames[n].astype(np.float32)) for n in shown]
    states = jd.iterate_video(KEY, model, frames, cuts="none")
    carried = [state.image for state in states]
    labels = [f"frame {n + 1}, {way}" for way in ("by itself", "as a video") for n in shown]
    return jd.contact_sheet([*alone, *(carried[n] for n in shown)], labels, columns=3)


def cross_fade(model: jd.Network) -> np.ndarray:
    """Frames of a video whose objective fades from one layer to another."""
    frames = _panned("china.jpg", 25)
    curve = "objective: 0 3b/5x5_reduce, 24 4c in-out"
    states = jd.iterate_video(KEY, model, frames, curves=[curve], cuts="none")
    shown = {state.number: state.image for state in states if state.number % 6 == 0}
    return jd.contact_sheet(list(shown.values()), [f"frame {n + 1}" for n in shown], columns=3)


def looks(model: jd.Network) -> np.ndarray:
    """One photograph with every look."""
    cat = fit("chelsea.png", 288)
    dreams = dream_looks(model, cat)
    return jd.contact_sheet([cat, *dreams.values()], ["the photograph", *dreams], columns=3)


def dream_looks(model: jd.Network, picture: np.ndarray) -> dict[str, np.ndarray]:
    """A picture as every look dreams it, by the look's name."""
    dreams = {}
    for name in LOOKS:
        settings, objective = jd.use_look(model, name)
        dreams[name] = np.asarray(jd.dream(KEY, model, picture, objective, settings=settings))
    return dreams


def masks(model: jd.Network) -> np.ndarray:
    """A photograph, a mask of its middle, a dream within it, and two objectives that share it."""
    cat = fit("chelsea.png", 320)
    height, width, _ = cat.shape
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((y - 0.45 * height) / height, (x - 0.5 * width) / width)
    mask = np.clip((0.42 - distance) / 0.1, 0, 1).astype(np.float32)
    inside, outside = jd.objectives.mask(mask), jd.objectives.mask(1 - mask)
    within = jd.dream(KEY, model, cat, mask=mask)
    both = jd.dream(
        KEY, model, cat, inside * jd.objectives.layer("3b/5x5_reduce")
        + outside * jd.objectives.layer("4c"),
    )  # fmt: skip
    white = np.repeat(255 * mask[..., None], 3, axis=-1)
    labels = ["the photograph", "its mask", "--mask", "an objective inside, another outside"]
    return jd.contact_sheet([cat, white, within, both], labels, columns=2)


def tiles(model: jd.Network) -> np.ndarray:
    """A photograph that was made to tile, and its dream, each shown twice beside itself."""
    coffee = make_seamless(Picture(fit("coffee.jpg", 256), None, ""), "both").pixels
    dreamed = np.asarray(jd.dream(KEY, model, coffee, seamless="both"))
    pictures = [np.tile(picture, (2, 2, 1)) for picture in (coffee, dreamed)]
    return jd.contact_sheet(pictures, ["--make-tile", "--tile both"], columns=2)


def sphere(model: jd.Network) -> np.ndarray:
    """A panorama of a whole sphere, from noise."""
    noise = noise_picture(2015, (384, 768)).pixels
    return np.asarray(jd.dream(KEY, model, noise, steps=20, octaves=5, seamless="sphere"))


def finishing(model: jd.Network) -> np.ndarray:
    """What is done when the last step is taken."""
    cat = fit("chelsea.png", 320)
    variants: Mapping[str, dict] = {
        "the defaults": {},
        "--keep-colours": {"keep_colours": True},
        "--keep-contrast": {"keep_contrast": True},
        "--strength 0.5": {"strength": 0.5},
    }
    dreams = [jd.dream(KEY, model, cat, **options) for options in variants.values()]
    return jd.contact_sheet(dreams, list(variants), columns=2)


SHEETS: Mapping[str, tuple[str, Callable[[jd.Network], np.ndarray]]] = {
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
    "video.jpg": ("googlenet", video),
    "video_cross_fade.jpg": ("googlenet", cross_fade),
    "looks_googlenet.jpg": ("googlenet", looks),
    "looks_googlenet_mini.jpg": ("googlenet_mini", looks),
    "masks.jpg": ("googlenet", masks),
    "tiles.jpg": ("googlenet", tiles),
    "finishing.jpg": ("googlenet", finishing),
    "sphere.jpg": ("googlenet", sphere),
}


def write_page(model: jd.Network, folder: Path) -> None:
    """Write the pictures of the page in a browser: one of every look, and photographs to try."""
    face = jd.read_image(PICTURES / "chelsea.png")[:, 70:370]  # a square with both eyes
    # At the size at which it is shown: a larger dream, made smaller, has finer patterns.
    face = np.asarray(jd.resize(face, (256, 256)))
    for name, dreamed in dream_looks(model, face).items():
        jd.write_image(folder / f"look_{name}.jpg", dreamed, quality=70)
    for photo in ("chelsea.png", "coffee.jpg", "rocket.jpg"):
        jd.write_image(folder / f"example_{Path(photo).stem}.jpg", fit(photo, 640), quality=88)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="make the pictures of the documentation and page")
    parser.add_argument("--googlenet", metavar="FILE", help="weights of googlenet")
    parser.add_argument("--inception", metavar="FILE", help="weights of inception_v3_2015")
    names = [*SHEETS, "page"]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="instead of their own")
    options = parser.parse_args()
    weights = {"googlenet": options.googlenet, "inception_v3_2015": options.inception}
    for name in options.only:
        network = "googlenet_mini" if name == "page" else SHEETS[name][0]
        try:
            model = jd.load_model(network, weights=weights.get(network))
        except jd.JaxdreamError as error:
            print(f"{name} left out: {error}")
            continue
        if name == "page":
            written = options.output or PAGE_PICTURES
            write_page(model, written)
        else:
            written = (options.output or PICTURES) / name
            jd.write_image(written, SHEETS[name][1](model), quality=85)
        print(f"wrote {written}", flush=True)


if __name__ == "__main__":
    main()
