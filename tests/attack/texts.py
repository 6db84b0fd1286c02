"""Odd command lines and objectives."""

from random import Random

from attack.case import SMALL, Case, Place
from attack.mutation import ODD_TEXTS
from attack.pictures import picture
from jaxdream.cli.commands import build_parser

_TOKENS = (
    "3b", "4c", "conv1/7x7_s2", "inception_3a/1x1", "loss3/classifier", "banana", "n07753592", "12",
    "0.5", "-2", "1e30", "1e-30", "1e400", "nan", "+", "-", "*", "(", ")", ":", ",", " ", "\n", "'",
    "mask(", "strongest(", "inverted", "style(", "interpolate(", "alignment(", "cosine(",
    "boundary(", "of_network(", "googlenet_mini", "power", "mean", "=", '"', "l1(", "logit(",
    "guide(", "direction(", "channel(", "channel_energy(", "neuron(", "tv(",
    '"good.png"', '"x.npy"', '"/dev/zero"', "relu", "3b:0", "3b:999999", "\x1b[2J", "\u00e9", "@",
)  # fmt: skip


def odd_objective(place: Place) -> Case:
    """Words of the language of objectives in any order."""
    random = place.random
    (place.work / "good.png").write_bytes(picture(Random(1), "png"))
    length = random.choice((1, 2, 3, 5, 8, 13, 2000))
    text = "".join(random.choice(_TOKENS) for _ in range(length))
    if random.random() < 0.1:
        text = random.choice(
            ("(" * 5000, "3b*" * 5000 + "3b", "-" * 3000 + "3b", "3b+" * 40 + "3b")
        )
    quick = [option for option in SMALL if option not in ("--layer", "conv1/7x7_s2")]
    return Case(["dream", "good.png", "-o", "new.png", f"--objective={text}", *quick])


def odd_command_line(place: Place) -> Case:
    """Any command with any of its options, with an odd value or none."""
    random = place.random
    (place.work / "good.png").write_bytes(picture(Random(1), "png"))
    (place.work / "photo.png").write_bytes(picture(Random(2), "png"))
    # Also what these would overwrite must still be there afterwards.
    (place.work / "x").write_text("the user's own")
    commands = {
        "dream": ["dream", "good.png", "-o", "new.png", *SMALL],
        "batch": ["batch", "good.png", "-o", "out", *SMALL],
        "zoom": ["zoom", "good.png", "-o", "frames", "--frames", "1", *SMALL],
        "visualize": ["visualize", "--layer", "conv1/7x7_s2", "-o", "new.png", "--steps", "1",
                      "--no-transforms", "--size", "32", "--model", "googlenet_mini"],
        "filters": ["filters", "-o", "new.png", "--model", "googlenet_mini"],
        "replay": ["replay", "good.png", "good.png"],
        "layers": ["layers"],
        "classes": ["classes", "dog"],
        "models": ["models"],
    }  # fmt: skip
    name = random.choice(tuple(commands))
    arguments = list(commands[name])
    for _ in range(random.choice((1, 1, 2))):
        # Not these: they start Ray, or look for one.
        option = random.choice(_options(name) or ["--help"])
        if option == "--cluster":
            continue
        value = random.choice(ODD_TEXTS)
        arguments += random.choice(([option, value], [f"{option}={value}"], [option]))
    if random.random() < 0.2:
        arguments[random.randrange(len(arguments))] = random.choice(ODD_TEXTS)
    return Case(arguments, codes=(0, 1, 2, 3), seconds=60.0)


def _options(command: str) -> list[str]:
    (commands,) = (action for action in build_parser()._actions if action.choices)
    parser = commands.choices[command]  # pyright: ignore
    return [name for action in parser._actions for name in action.option_strings]
