"""Folders of dreams and of frames in which something is odd."""

import json
import os
import shutil
from pathlib import Path
from random import Random

from attack.case import SMALL, Case, Place
from attack.mutation import damaged, odd_json
from attack.pictures import picture

BATCH, ZOOM = "batch", "zoom"
DREAM_BATCH = ["batch", "in", "-o", "out", *SMALL]
DREAM_ZOOM = ["zoom", "good.png", "-o", "frames", *SMALL]


def make_batch(place: Place, run) -> None:
    """A folder of three dreams."""
    (place.work / "in").mkdir()
    for number in range(3):
        (place.work / "in" / f"{number}.png").write_bytes(picture(Random(number), "png"))
    run(DREAM_BATCH)


def make_zoom(place: Place, run) -> None:
    """A folder of three frames."""
    (place.work / "good.png").write_bytes(picture(Random(1), "png"))
    run([*DREAM_ZOOM, "--frames", "3"])


def odd_batch(place: Place) -> Case:
    """A batch goes on in a folder whose journal or dreams are odd."""
    shutil.copytree(place.templates / BATCH, place.work, dirs_exist_ok=True)
    out, random = place.work / "out", place.random
    if random.random() < 0.6:
        _spoil_lines(out / "jaxdream.jsonl", random)
    # Not both of one picture: without its input a damaged dream cannot be made again.
    dream, given = random.sample(range(3), 2)
    if random.random() < 0.5:
        _spoil(out / f"{dream}.png", place)
    if random.random() < 0.3:
        _spoil(place.work / "in" / f"{given}.png", place)
    # Its own dreams and its journal; what was put in their place is only there if it refused.
    return Case(DREAM_BATCH, may_change=("out/*.png", "out/jaxdream.jsonl", "out/.jaxdream.lock"))


def odd_zoom(place: Place) -> Case:
    """A zoom goes on in a folder whose frames or state are odd."""
    shutil.copytree(place.templates / ZOOM, place.work, dirs_exist_ok=True)
    frames, random = place.work / "frames", place.random
    (state,) = frames.glob("zoom.[!j]*")
    for name in random.sample(("0001.png", "0003.png", "zoom.json", state.name), 2):
        path = frames / name
        if name == "zoom.json" and random.random() < 0.5:
            path.write_text(odd_json(json.loads(path.read_bytes()), random))
        elif name in ("0001.png", "0003.png"):
            _spoil(path, place)
        elif random.random() < 0.7:
            path.write_bytes(damaged(path.read_bytes(), random))
    return Case([*DREAM_ZOOM, "--frames", "4"], may_change=("frames/*",))


def _spoil_lines(path: Path, random: Random) -> None:
    lines = path.read_text().splitlines()
    at = random.randrange(len(lines))
    kind = random.randrange(5)
    if kind < 3:
        lines[at] = odd_json(json.loads(lines[at]), random)
    elif kind == 3:
        random.shuffle(lines)
    text = "\n".join(lines) + "\n"
    path.write_bytes(damaged(text.encode(), random) if kind == 4 else text.encode())


def _spoil(path: Path, place: Place) -> None:
    content = path.read_bytes()
    kind = place.random.randrange(7)
    if kind < 2:
        path.write_bytes(damaged(content, place.random))
        return
    path.unlink()
    if kind == 3:
        os.mkfifo(path)
    elif kind == 4:
        path.mkdir()
    elif kind == 5:
        path.symlink_to("../../outside/victim.txt")
    elif kind == 6:
        path.touch()
