import pytest

from jaxdream import JaxdreamError
from jaxdream.models.googlenet import googlenet
from jaxdream.models.graph import GraphBuilder
from jaxdream.models.inception_v3 import inception_v3
from jaxdream.models.ops import Input


@pytest.mark.parametrize("graph", [googlenet(), inception_v3()])
def test_minimum_size_is_the_smallest_with_no_empty_map(graph):
    for name in graph.good_layers:
        minimum = graph.minimum_size(name)
        assert all(min(s) >= 1 for s in graph.sizes(name, (minimum, minimum)).values())
        if minimum > 1:
            sizes = graph.sizes(name, (minimum - 1, minimum - 1)).values()
            assert any(min(s) < 1 for s in sizes)


def test_minimum_size_of_several_layers_is_the_largest():
    graph = googlenet()
    assert graph.minimum_size("inception_4c/output", "conv1/7x7_s2") == 15
    assert inception_v3().minimum_size("mixed_10") == 75


def test_geometry_of_known_layers():
    layers = {layer.name: layer for layer in googlenet().layers()}
    assert layers["inception_4c/output"].channels == 512
    assert layers["inception_4c/output"].stride == 16
    # By hand: 7, +2*2, (pool1: 11), conv2 +2*4, pool2 +2*4, 3a +4*8, 3b +4*8, pool3 +2*8, ...
    assert layers["conv1/7x7_s2"].receptive_field == (7, 7)
    assert layers["pool1/3x3_s2"].receptive_field == (11, 11)
    assert layers["conv2/3x3"].receptive_field == (19, 19)
    assert layers["pool2/3x3_s2"].receptive_field == (27, 27)
    assert layers["inception_3a/output"].receptive_field == (59, 59)
    assert layers["prob"].receptive_field is None
    tall = {layer.name: layer for layer in inception_v3().layers()}["mixed_4/tower/conv_1"]
    assert tall.receptive_field is not None
    assert tall.receptive_field[1] > tall.receptive_field[0]


def test_needs_no_more_than_it_must():
    names = [node.name for node in googlenet().needed(["inception_3a/5x5_reduce"])]
    assert names[-1] == "inception_3a/5x5_reduce"
    assert "inception_3a/1x1" not in names
    assert len(names) == 12


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("inception_4c/ouput", "inception_4c/output"),
        ("inception_4c", "inception_4"),
        ("?", "such as conv2/3x3, inception_3a/output"),
    ],
)
def test_unknown_layer_names_the_nearest(name, nearest):
    with pytest.raises(JaxdreamError, match="no layer") as error:
        googlenet().resolve(name)
    assert nearest in str(error.value)
    assert "\n" not in str(error.value)


def test_aliases():
    graph = inception_v3()
    assert graph.resolve("mixed4") == "mixed_4"
    assert graph.resolve("Mixed_6b") == "mixed_4"
    assert graph.resolve("Mixed_6b.branch7x7_3") == "mixed_4/tower/conv_2"
    assert graph.resolve("mixed_0") == "mixed"


def test_two_layers_of_one_name_are_a_mistake():
    build = GraphBuilder()
    build.add("data", Input())
    with pytest.raises(ValueError, match="two layers are named data"):
        build.add("data", Input())
