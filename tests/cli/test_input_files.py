"""Files that options name: a wrong one is told before a network is read, by every command."""

from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

from jaxdream import JaxdreamError
from jaxdream.cli.input_files import check_input_files

MISSING = {
    "dream photo.png --guide no.png": "no.png: no such file",
    "dream photo.png --guide guide.png --guide folder": "folder is a folder: name a file in it",
    "dream photo.png --mask no.png": "no.png: no such file",
    "dream photo.png --weights no.safetensors": "no.safetensors: no such file",
    "dream photo.png --objective '3b + direction(\"no.npy\", 4c)'": "no.npy: no such file",
    "dream photo.png --grid layer=3b,4c --guide no.png": "no.png: no such file",
    "dream photo.png --grid seed=1,2 --weights pipe.png": "pipe.png is a pipe, not a regular file",
    "looks photo.png --weights no.pb": "no.pb: no such file",
    "batch in -o out --mask no.png": "no.png: no such file",
    "batch in -o out --objective 'guide(\"no.png\")'": "no.png: no such file",
    "zoom photo.png --guide no.png": "no.png: no such file",
    "zoom photo.png --mask no.png": "no.png: no such file",
    "zoom photo.png --curve 'objective: guide(\"no.png\")'": "no.png: no such file",
    "video no.mp4": "no.mp4: no such file",
    "video photo.png --guide no.png": "no.png: no such file",
    "visualize --class ant --weights no.onnx": "no.onnx: no such file",
    "visualize --objective 'direction(\"no.npy\", 4c)'": "no.npy: no such file",
    "visualize --layer 4c --direction no.npy": "no.npy: no such file",
    "visualize --class ant --parametrization maco --spectrum nowhere": "nowhere: no such file",
    "visualize --layer 4c --channels all -o out --weights no.pth": "no.pth: no such file",
    "examples in -o out --weights no.pth": "no.pth: no such file",
    "examples in -o out --visualizations nowhere": "nowhere: no such folder",
    "atlas in -o out --weights no.pth": "no.pth: no such file",
    "filters --weights no.bin": "no.bin: no such file",
    "web --weights no.bin": "no.bin: no such file",
}


@pytest.fixture
def unread(monkeypatch):
    """No command may read a network."""
    monkeypatch.setattr("jaxdream.cli.session.load", lambda *_, **__: pytest.fail("it was read"))


@pytest.mark.parametrize("command", MISSING)
@pytest.mark.usefixtures("unread")
def test_a_missing_file_is_told_before_the_network_is_read(refused, command):
    assert MISSING[command] in refused(command)


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("dream small.png --mask photo.png -o photo.png", "the mask photo.png"),
        ("dream small.png --objective 'guide(\"move.gif\")' --gif move.gif",
         "a file of the objective move.gif"),
        ("filters --weights photo.png -o photo.png", "the weights photo.png"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("unread")
def test_a_file_that_would_be_written_as_well(refused, command, what):
    assert f"is the same file as {what}: write to another" in refused(f"{command} --overwrite")


def test_a_picture_must_fit_into_the_memory_but_weights_need_not(tmp_path):
    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    picture, vector = str(tmp_path / "a.png"), str(tmp_path / "v.npy")
    np.save(vector, np.ones(64, np.float32))
    check_input_files(Namespace(guide=[picture]), memory=1 << 40)
    check_input_files(Namespace(weights=picture, objective=f"direction('{vector}', 4c)"), memory=1)
    check_input_files(Namespace(mask=picture), memory=1, without=["mask"])
    check_input_files(Namespace(mask="alpha", guide=[], objective=None), memory=1)
    for name, value in {"guide": [picture], "mask": picture}.items():
        with pytest.raises(JaxdreamError, match=r"a\.png takes about .* of memory to decode"):
            check_input_files(Namespace(**{name: value}), memory=1)
