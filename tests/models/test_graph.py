import pytest

from jaxdream import JaxdreamError
from jaxdream.models.googlenet import INCEPTION_WIDTHS, googlenet
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
    layers = {layer.name: layer for layer in googlenet().layer_infos()}
    assert layers["inception_4c/output"].channels == 512
    assert layers["inception_4c/output"].stride == 16
    # By hand: 7, +2*2, (pool1: 11), conv2 +2*4, pool2 +2*4, 3a +4*8, 3b +4*8, pool3 +2*8, ...
    assert layers["conv1/7x7_s2"].receptive_field == (7, 7)
    assert layers["pool1/3x3_s2"].receptive_field == (11, 11)
    assert layers["conv2/3x3"].receptive_field == (19, 19)
    assert layers["pool2/3x3_s2"].receptive_field == (27, 27)
    assert layers["inception_3a/output"].receptive_field == (59, 59)
    assert layers["prob"].receptive_field is None
    tall = {layer.name: layer for layer in inception_v3().layer_infos()}["mixed_4/tower/conv_1"]
    assert tall.receptive_field is not None
    assert tall.receptive_field[1] > tall.receptive_field[0]


def test_only_needed_nodes():
    names = [node.name for node in googlenet().needed(["inception_3a/5x5_reduce"])]
    assert names[-1] == "inception_3a/5x5_reduce"
    assert "inception_3a/1x1" not in names
    assert len(names) == 12


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("inception_4c/ouput", "the nearest are inception_4c/output,"),
        ("inception_4c/5x5_reduc", "inception_4c/5x5_reduce"),
        ("inception_4f", "the nearest are inception_4"),
        ("mixed4f", "/output"),
        ("4F", "/output"),
        ("?", "such as conv2/3x3, inception_3a/output"),
    ],
)
def test_unknown_layer_names_the_nearest(name, nearest):
    with pytest.raises(JaxdreamError, match="no layer") as error:
        googlenet().resolve(name)
    assert nearest in str(error.value)
    assert "\n" not in str(error.value)


def test_nearest_layers_are_good_ones_first():
    with pytest.raises(JaxdreamError) as error:
        googlenet().resolve("inception_4f")
    near = str(error.value).partition("nearest are ")[2].partition(" (")[0].split(", ")
    assert len(near) == 3
    assert all(name in googlenet().good_layers for name in near)


@pytest.mark.parametrize("graph", [googlenet(), googlenet(width=0.5, lrn=False)])
@pytest.mark.parametrize("name", ["4c", "inception_4c", "mixed4c", "inception_4c/output"])
def test_short_names_of_blocks_are_their_outputs(graph, name):
    assert graph.resolve(name) == "inception_4c/output"


def test_every_block_has_its_short_name():
    for block in INCEPTION_WIDTHS:
        assert googlenet().resolve(block) == f"inception_{block}/output"


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


def test_halo_of_known_layers():
    graph = googlenet()
    assert graph.halo("data") == ((0, 0), (0, 0))
    assert graph.halo("conv1/7x7_s2") == ((3, 3), (3, 3))
    # The pool's window begins at its position and extends two positions of stride 2.
    assert graph.halo("pool1/3x3_s2") == ((3, 7), (3, 7))
    assert graph.halo("data", "conv1/7x7_s2") == ((3, 3), (3, 3))
    assert graph.halo("prob") is None


@pytest.mark.parametrize(
    ("graph", "layer", "blocks"),
    [(googlenet(), "inception_4c/output", 5), (inception_v3(), "mixed_4", 4)],
)
def test_1x1_convolutions_of_one_input_are_one(graph, layer, blocks):
    merged, scopes = graph.merged((layer,))
    assert len(scopes) == blocks
    for name, parts in scopes.items():
        assert merged.channels[name] == sum(graph.kernel_shapes[part][-1] for part in parts)
    # Nothing else is another: names, sizes, channels, halos.
    for node in graph.needed([layer]):
        assert merged.channels[node.name] == graph.channels[node.name]
        assert merged.strides[node.name] == graph.strides[node.name]
    assert merged.minimum_size(layer) == graph.minimum_size(layer)
    assert merged.halo(layer) == graph.halo(layer)
    assert graph.merged((layer,))[0] is merged  # static data of a program, which is compared


def test_only_what_a_layer_needs_is_merged():
    graph = googlenet()
    merged, scopes = graph.merged(("inception_3a/1x1",))
    assert scopes == {}
    assert [node.name for node in merged.needed(["inception_3a/1x1"])] == [
        node.name for node in graph.needed(["inception_3a/1x1"])
    ]
