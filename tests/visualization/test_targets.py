"""What a picture can show: lists of channels, neurons, labels and the names of files."""

import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.objectives import channel, interpolate
from jaxdream.objectives.files import ObjectiveFiles
from jaxdream.settings import DIVERSITY, VisualizeSettings
from jaxdream.visualization.targets import (
    Target,
    grid_labels,
    parse_channels,
    parse_neuron,
    picture_labels,
    picture_name,
    with_diversity,
)

LAYER = "conv2/relu_3x3"
CHANNELS = [Target("channel", str(i), LAYER, i) for i in (3, 12)]


def test_labels_of_a_grid_name_a_layer_only_where_there_are_several():
    assert grid_labels(CHANNELS) == ["3", "12"]
    others = [*CHANNELS, Target("channel", "3", "conv1/relu_7x7", 3)]
    assert grid_labels(others) == [f"{LAYER} 3", f"{LAYER} 12", "conv1/relu_7x7 3"]
    assert grid_labels([Target("layer", "", LAYER), Target("layer", "", "pool")]) == [LAYER, "pool"]
    assert grid_labels([Target("class", "ant"), Target("class", "bee")]) == ["ant", "bee"]


def test_labels_of_pictures_name_the_layer_and_number_those_of_one_thing():
    assert picture_labels(CHANNELS) == [f"{LAYER} 3", f"{LAYER} 12"]
    assert picture_labels(CHANNELS[:1], 2) == [f"{LAYER} 3 1", f"{LAYER} 3 2"]
    assert grid_labels([Target("class", "ant")], 2) == ["ant 1", "ant 2"]


def test_a_file_is_named_by_its_label():
    assert picture_name(f"{LAYER} 3") == "conv2_relu_3x3_3.png"
    assert picture_name("jack-o'-lantern 1", grid=True) == "jack-o_-lantern_1_grid.png"


def test_several_pictures_of_one_thing_differ():
    plain, given = VisualizeSettings(), VisualizeSettings(diversity=0.1)
    one, other = channel("second", 1), channel("second", 2)
    assert with_diversity(plain, [one] * 2).diversity == DIVERSITY
    assert with_diversity(given, [one] * 2) == given
    for alike in ([one], [one, other], [interpolate(one, other)] * 2):
        assert with_diversity(plain, alike) == plain


def test_a_list_of_channels_has_each_once():
    assert parse_channels("3") == [3]
    assert parse_channels(" 7, 0-2,1 ,7") == [7, 0, 1, 2]
    assert len(parse_channels("0-4095")) == 4096


@pytest.mark.parametrize("text", ["", "x", "3,", "-1", "1-", "1.5", "٣"])
def test_what_is_no_list_of_channels_is_refused(text):
    with pytest.raises(JaxdreamError, match="give numbers, as in 12 or 0-15 or 3,7"):
        parse_channels(text)


def test_too_many_channels_are_refused():
    with pytest.raises(JaxdreamError, match="at most 4096 channels"):
        parse_channels("1,0-4095")


def test_a_neuron_is_in_the_middle_unless_it_has_a_position():
    assert parse_neuron("12") == (12, (0.5, 0.5))
    assert parse_neuron(" 12@.25,1 ") == (12, (0.25, 1.0))


def test_a_target_is_an_objective_of_the_network(tiny):
    targets = [
        Target("layer", "", "alias"),
        Target("channel", "2", "alias", 2),
        Target("objective", "2*relu"),
    ]
    found = [repr(target.objective(tiny)) for target in targets]
    assert found == ["second", "channel(second, 2)", "2*relu"]
    files = ObjectiveFiles()
    target = Target("objective", "second + of_network(googlenet_mini, conv1/7x7_s2)")
    target.objective(tiny, files)
    assert list(files.by_name()) == ["googlenet_mini"]
    with pytest.raises(JaxdreamError, match="no layer 'secnd': the nearest is second"):
        Target("layer", "", "secnd").objective(tiny)
