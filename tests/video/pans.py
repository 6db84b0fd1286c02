"""Frames that move evenly, and their dreams."""

import itertools

import cv2
import jax
import numpy as np

from jaxdream.video.dreaming import iterate_video

KEY = jax.random.key(5)
STILL = {"steps": 4, "octaves": 2, "jitter": 3, "step_size": 3.0}
QUICK = {**STILL, "frame_steps": 1}
SIZE = (24, 30)


def wide(seed=0, size=(SIZE[0], SIZE[1] + 60)):
    """A smooth colourful picture, in which a pan finds its frames, uint8."""
    noise = np.random.default_rng(seed).uniform(0, 255, (*size, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.clip(128 + 5 * (smooth - 128), 20, 235).astype(np.uint8)


def pan(count, speed=1, seed=0, width=SIZE[1]):
    """Frames that move to the left by so many pixels each."""
    picture = wide(seed)
    return [picture[:, speed * i : speed * i + width] for i in range(count)]


def to_the_right(speed):
    """The flow of a pan, as ``flow`` gives it, from any frame to its neighbour."""
    turns = itertools.cycle([speed, -speed])

    def flow(first, _):
        return np.full((*first.shape[:2], 2), (next(turns), 0), np.float32)

    return flow


def states_of(model, frames, **options):
    return list(iterate_video(KEY, model, frames, **{**QUICK, **options}))


def images(states):
    return np.stack([np.asarray(state.image) for state in states])
