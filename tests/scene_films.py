"""A small video of three scenes, and its dream by one machine."""

import numpy as np
from video.films import film, moving

LENGTHS = (4, 3, 6)  # frames of each scene
CUTS = "4,7"
QUICK = {"steps": 2, "octaves": 1, "jitter": 3, "seed": 5}


def scenes_film(path, lengths=LENGTHS, **options):
    """Write a video without loss, whose scenes have so many frames."""
    frames = [
        255 - frame[:, ::-1] if scene % 2 else np.roll(frame, 20 * scene, 1)
        for scene, count in enumerate(lengths)
        for frame in moving(count)
    ]
    if path.suffix == ".mkv":
        options = {"codec": "ffv1", "pix_fmt": "bgr0", "options": {}} | options
    return film(path, frames, **options)


def expected_frames(path, model):
    """The dreams of all frames, not rounded."""
    import jaxdream as jd

    options = {name: value for name, value in QUICK.items() if name != "seed"}
    with jd.open_video(path) as reader:
        frames = [frame.pixels for frame in reader.frames()]
    states = jd.iterate_video(QUICK["seed"], model, frames, cuts=CUTS, **options)
    return [state.image for state in states]
