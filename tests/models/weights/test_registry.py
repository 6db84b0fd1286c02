import pytest

from jaxdream import JaxdreamError
from jaxdream.models.weights.registry import RECORDS, record_of


@pytest.mark.parametrize("name", ["googlenet", "GoogLeNet", "GOOGLENET"])
def test_letter_case_does_not_matter(name):
    assert record_of(name) is RECORDS[0]


@pytest.mark.parametrize("name", ["googlnet", "Googlenett"])
def test_an_unknown_model_names_the_nearest(name):
    with pytest.raises(JaxdreamError, match="did you mean googlenet"):
        record_of(name)


def test_a_name_like_no_other_lists_all():
    known = "googlenet, googlenet_mini, googlenet_places365, googlenet_places205, inception_v3,"
    with pytest.raises(JaxdreamError, match=f"known are {known}"):
        record_of("?")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.file)
def test_records_agree_with_their_graphs(record):
    graph = record.build()
    assert graph.resolve(record.default_layer) in graph.good_layers
    assert graph is record.build()
