import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.units.names import check_names, unit_file
from jaxdream.visualization.targets import Target, picture_name


def test_files_are_named_as_those_of_visualize():
    target = Target("channel", "12", "inception_4c/output", 12)
    assert unit_file("inception_4c/output", 12) == picture_name(target.label)
    assert unit_file("a/b", 3, ".html") == "a_b_3.html"


def test_two_layers_with_the_same_file_names_are_refused():
    check_names(["a/b", "a/c"])
    with pytest.raises(JaxdreamError, match="a/b and a_b"):
        check_names(["a/b", "a_b"])
