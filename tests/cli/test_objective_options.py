"""What ``--objective``, ``--layer`` and ``--guide`` mean together."""

import argparse

import pytest

from jaxdream.cli.objective_options import objective_text
from jaxdream.objectives.text import named_files


def options(**given):
    values = {"objective": None, "layer": None, "guide": [], "guide_weight": []}
    return argparse.Namespace(**values | given)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "default"),
        ({"layer": "4c"}, "4c"),
        ({"objective": "4c:12 - 3b"}, "4c:12 - 3b"),
        ({"guide": ["a.png"]}, 'guide("a.png", default)'),
        ({"guide": ["a.png", "b.png"], "layer": "3b"}, 'guide("a.png", 3b) + guide("b.png", 3b)'),
        (
            {"guide": ["a.png", "b.png", "c.png"], "guide_weight": [1.0, -0.5, 2.0]},
            'guide("a.png", default) + -0.5*guide("b.png", default) + 2.0*guide("c.png", default)',
        ),
    ],
)
def test_they_are_one_text(given, text):
    assert objective_text(options(**given), "default") == text


def test_names_of_guides_are_quoted():
    text = objective_text(options(guide=['a "b" \\c.png']), "default")
    assert list(named_files(text)) == ['a "b" \\c.png']


REFUSED = {
    "dream photo.png --objective 4c --layer 3b": "--objective cannot be combined with --layer",
    "dream photo.png --objective 4c --guide guide.png": "or --guide: name the layers in the",
    "zoom photo.png --objective 4c --layer 3b": "--objective cannot be combined with --layer",
    "batch in -o out --objective 4c --layer 3b": "--objective cannot be combined with --layer",
    "dream photo.png --guide-weight 1": "--guide-weight needs a --guide FILE",
    "dream photo.png --guide guide.png --guide-weight 1 --guide-weight 2": "--guide is given 1 "
    "times and --guide-weight 2 times: give one weight for each guide, or none",
}


@pytest.mark.parametrize("command", REFUSED)
def test_contradictions_are_refused_before_a_network_is_loaded(refused, command):
    assert REFUSED[command] in refused(command)
