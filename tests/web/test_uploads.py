import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from jaxdream.errors import JaxdreamError
from jaxdream.web import uploads
from jaxdream.web.uploads import Painting, Upload, read_upload, uploaded


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "uploads"
    place.mkdir()
    return place


def saved(folder, name="sky.png", size=(8, 6)):
    path = folder / name
    Image.new("RGB", size, (10, 20, 30)).save(path)
    return path


def layer(alpha):
    """A painted layer's file: paint where ``alpha`` (h, w) is not 0."""
    pixels = np.zeros((*alpha.shape, 4), np.uint8)
    pixels[..., 3] = alpha
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def test_an_uploaded_file_has_the_visitors_name(folder):
    path = saved(folder, "0.png")
    payload = {"path": str(path), "orig_name": "C:/pictures/sky.png"}
    assert uploaded(payload, folder) == Upload(str(path), "sky.png")
    assert uploaded(None, folder) is None


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../outside.png", "http://127.0.0.1/sky.png", "https://example.org/a.png",
        "", "\0", None, 7, ["a"], "no such file.png",
    ],
)  # fmt: skip
def test_no_other_file_can_be_named(folder, path, tmp_path):
    saved(tmp_path, "outside.png")
    with pytest.raises(JaxdreamError, match="no uploaded file"):
        uploaded({"path": path}, folder)


def test_a_link_out_of_the_folder_is_no_uploaded_file(folder, tmp_path):
    link = folder / "link.png"
    link.symlink_to(saved(tmp_path, "outside.png"))
    with pytest.raises(JaxdreamError, match="no uploaded file"):
        uploaded({"path": str(link)}, folder)


def test_a_bad_picture_is_named_as_the_visitor_knows_it(folder):
    path = folder / "secret place.png"
    path.write_bytes(b"no picture")
    with pytest.raises(JaxdreamError, match=r"^sky\.png is not a picture") as raised:
        read_upload(Upload(str(path), "sky.png"))
    assert "secret" not in str(raised.value)


def test_too_many_pixels_are_refused_by_the_header(folder, monkeypatch):
    monkeypatch.setattr(uploads, "_MAX_PIXELS", 47)
    with pytest.raises(JaxdreamError, match=r"sky\.png has more than the 47 pixels allowed"):
        read_upload(Upload(str(saved(folder)), "sky.png"))


def test_a_painting_is_a_mask_at_any_size():
    alpha = np.zeros((4, 8), np.uint8)
    alpha[:, 4:] = 255
    mask = Painting((layer(alpha),)).mask((8, 16))
    assert mask is not None
    assert mask.shape == (8, 16)
    assert (mask[:, :7] == 0).all()
    assert (mask[:, 9:] == 1).all()


def test_layers_add_up_and_nothing_painted_is_no_mask():
    left, right = np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8)
    left[:, 0], right[:, 1] = 255, 255
    assert Painting((layer(0 * left),)).mask((2, 2)) is None
    mask = Painting((layer(left), layer(right))).mask((2, 2))
    np.testing.assert_array_equal(mask, np.ones((2, 2)))


def test_layers_come_by_id_or_as_files(folder):
    content = layer(np.full((2, 2), 255, np.uint8))
    before = {"7": SimpleNamespace(layers=[None, content])}
    assert Painting.sent({"id": "7"}, before, folder) == Painting((content,))
    assert before == {}
    path = folder / "layer.png"
    path.write_bytes(content)
    sent = {"id": None, "layers": [{"path": str(path)}]}
    assert Painting.sent(sent, {}, folder) == Painting((content,))
    assert Painting.sent({"id": "7"}, {}, folder) is None
    assert Painting.sent(None, {}, folder) is None


def test_a_layer_that_is_no_picture_is_refused():
    with pytest.raises(JaxdreamError, match="painted mask is not a picture"):
        Painting((b"nothing",)).mask((2, 2))
