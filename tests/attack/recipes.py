"""Odd recipes in pictures."""

import json
from random import Random

from PIL import Image, PngImagePlugin

from attack.case import SMALL, Case, Place
from attack.mutation import odd_json
from attack.pictures import picture

TEMPLATE = "recipe"


def make_template(place: Place, run) -> None:
    """A dream whose recipe is changed."""
    (place.work / "good.png").write_bytes(picture(Random(1), "png"))
    run(["dream", "good.png", "-o", "dreamed.png", *SMALL])


def odd_recipe(place: Place) -> Case:
    """A replay of a dream whose recipe is odd."""
    template = place.templates / TEMPLATE
    (place.work / "good.png").write_bytes((template / "good.png").read_bytes())
    with Image.open(template / "dreamed.png") as image:
        image.load()
        values = json.loads(image.info["jaxdream"])
        if place.random.random() < 0.3:
            files = {"../outside/victim.txt": "0" * 64, "x" * 5000: "", "good.png": "x"}
            name = place.random.choice(list(files))
            values |= {"objective": f'guide("{name}")', "files": {name: files[name]}}
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("jaxdream", odd_json(values, place.random))
        image.save(place.work / "dreamed.png", pnginfo=chunks)
    return Case(["replay", "dreamed.png", "good.png", "-o", "new.png"], seconds=60.0)
