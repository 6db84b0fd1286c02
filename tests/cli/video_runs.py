"""What the tests of ``jaxdream video`` share: options, and what a run left."""

import numpy as np
import pytest

import jaxdream as jd

BARE = ["--steps", "2", "--octaves", "1", "--jitter", "4", "--frame-steps", "1"]
BARE += ["--model", "googlenet_mini"]
QUICK = [*BARE, "--layer", "conv2/3x3", "--seed", "7"]
KEPT = {"video.json", "video.safetensors"}
STAMPS = [0, 33, 100, 340, 640]  # milliseconds


def names(folder):
    return {path.name for path in folder.iterdir()}


def numbered(*numbers):
    return {f"{number:04d}.png" for number in numbers}


def pictures(folder, count):
    paths = [folder / f"{number:04d}.png" for number in range(1, count + 1)]
    return np.stack([jd.read_image(path) for path in paths])


def read(path):
    """What is known of a video, the times of its frames in milliseconds, and their pixels."""
    with jd.open_video(path, notify=pytest.fail) as video:
        frames = list(video.frames())
        times = [round(1000 * float(frame.time), 3) for frame in frames]
        return video.info, times, np.stack([frame.pixels for frame in frames])


def dreamed(path, **options):
    """The frames of Python's function, rounded as in pictures."""
    _, _, frames = read(path)
    states = jd.iterate_video(
        7, jd.load_model("googlenet_mini"), frames,
        **({"objective": "conv2/3x3", "steps": 2, "octaves": 1, "jitter": 4, "frame_steps": 1}
           | options),
    )  # fmt: skip
    return np.stack([np.asarray(state.image) for state in states]).clip(0, 255).round()
