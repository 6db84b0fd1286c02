import pytest

from jaxdream import JaxdreamError
from jaxdream.models.googlenet import INCEPTION_WIDTHS, googlenet
from jaxdream.models.graph import GraphBuilder
from jaxdream.models.inception5h import inception5h
from jaxdream.models.inception_resnet_v2 import inception_resnet_v2
from jaxdream.models.inception_v3 import inception_v3
from jaxdream.models.inception_v4 import inception_v4
from jaxdream.models.ops import Input
from jaxdream.models.resnet import resnet50
from jaxdream.models.vgg import vgg


@pytest.mark.parametrize("graph", [googlenet(), inception_v3(), vgg(16), inception_v4()])
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
    [
        (googlenet(), "inception_4c/output", 5),
        (inception_v3(), "mixed_4", 4),
        (resnet50(), "layer2.1", 1),  # of layer1.0: elsewhere the strides differ
        (inception5h(), "mixed4a", 3),
        (inception_resnet_v2(), "repeat.1", 3),
    ],
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


def test_halo_with_zeros_of_tensorflow():
    graph = inception5h()
    # Two or three rows of zeros before, so four or three after, with a window of 7.
    assert graph.halo("conv2d0") == ((3, 4), (3, 4))
    assert graph.halo("maxpool0") == ((5, 8), (5, 8))
    assert graph.halo("conv2d0_pad") == ((3, 0), (3, 0))


def test_stages_and_blocks_of_residual_networks():
    assert resnet50().resolve("layer3") == "layer3.5"
    assert inception_resnet_v2().resolve("repeat_1") == "repeat_1.19"
    infos = {info.name: info for info in resnet50().layer_infos()}
    assert (infos["layer4.2"].channels, infos["layer4.2"].stride) == (2048, 32)
    # By hand: 7, the pool +2*2, layer1 +3*8, layer2 +8 +3*16, layer3 +16 +5*32, layer4 +32 +2*64.
    assert infos["layer4.2"].receptive_field == (427, 427)


def test_without_its_classifier_vgg_ends_where_that_begins():
    graph = vgg(16).with_classes(None)
    assert list(graph.names)[-1] == "pool5"
    assert "logits" not in graph.aliases
    assert vgg(16).with_classes(7).channels["fc8"] == 7


def test_only_what_a_layer_needs_is_merged():
    graph = googlenet()
    merged, scopes = graph.merged(("inception_3a/1x1",))
    assert scopes == {}
    assert [node.name for node in merged.needed(["inception_3a/1x1"])] == [
        node.name for node in graph.needed(["inception_3a/1x1"])
    ]
