"""The table of looks."""

import pytest

from jaxdream import DreamSettings, JaxdreamError
from jaxdream.models.googlenet import googlenet
from jaxdream.models.inception_v3 import inception_v3
from jaxdream.models.weights.registry import MINI_WIDTHS
from jaxdream.objectives.text import parse_objective
from jaxdream.settings.looks import LOOKS, RANDOM, find_look

GRAPHS = {
    "googlenet": googlenet,
    "googlenet_mini": lambda: googlenet(width=MINI_WIDTHS, lrn=False),
    "inception_v3_2015": lambda: inception_v3(torch=False, last="mixed_8"),
}


class Named:
    """As much of a network as a text needs."""

    def __init__(self, name):
        self.name, self.graph, self.default_layer = name, GRAPHS[name](), "mixed_4"


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("network", GRAPHS)
def test_every_look_has_settings_and_an_objective_for_every_network(name, network):
    look, model = LOOKS[name], Named(network)
    DreamSettings(**look.settings)

    def has(text):
        try:
            parse_objective(text, model)
        except JaxdreamError:
            return False
        return True

    found = look.objective(has, "the default")
    assert (found == "the default") == (not look.objectives)


def test_an_unknown_look_names_the_nearest():
    with pytest.raises(JaxdreamError, match="no look 'reptil': did you mean reptile"):
        find_look("reptil", 0)
    with pytest.raises(JaxdreamError, match=r"there are classic, eyes, .*, random"):
        find_look("", 0)


def test_random_looks_differ_by_their_seed_and_are_within_the_ranges():
    looks = [find_look(RANDOM, seed) for seed in range(30)]
    assert len({str(look) for look in looks}) == 30
    assert find_look(RANDOM, 7) == looks[7]
    for look in looks:
        DreamSettings(**look.settings)
        for text, network in zip(look.objectives, ("googlenet", "inception_v3_2015"), strict=True):
            parse_objective(text, Named(network))
