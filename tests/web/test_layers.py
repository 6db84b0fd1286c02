import pytest
from page_context import never, page_context, upload

from jaxdream.errors import JaxdreamError
from jaxdream.web.layers import prepare_layers


def test_the_gallery_has_every_good_layer(tmp_path):
    context = page_context(tmp_path)
    prepared = prepare_layers(context, {"path": upload(context).path})
    *_, last = prepared.run(never)
    assert [name for _, name in last.shown] == ["second"]
    assert last.shown[0][0].shape == (168, 224, 3)
    assert last.done == 1


def test_without_a_picture_there_is_nothing_to_show(tmp_path):
    with pytest.raises(JaxdreamError, match="give a picture first"):
        prepare_layers(page_context(tmp_path), None)
