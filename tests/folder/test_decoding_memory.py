import threading

import pytest
from PIL import Image

from jaxdream.errors import JaxdreamError
from jaxdream.folder.decoding_memory import DecodingMemory
from jaxdream.images.decoding import decoding_bytes


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (1000, 500)).save(path)
    return path


def test_a_picture_that_does_not_fit_is_refused_by_its_header(large):
    needed = decoding_bytes(large)
    assert needed > 3 * 500_000
    with (
        pytest.raises(JaxdreamError, match=r"large\.png takes about \d+ MB of memory to decode"),
        DecodingMemory(needed - 1).reserved(large),
    ):
        pass


@pytest.mark.parametrize(("room", "together"), [(1.5, False), (2.5, True)])
def test_large_pictures_wait_for_each_other(large, room, together):
    memory = DecodingMemory(int(room * decoding_bytes(large)))
    entered = threading.Event()

    def second():
        with memory.reserved(large):
            entered.set()

    thread = threading.Thread(target=second)
    with memory.reserved(large):
        thread.start()
        assert entered.wait(0.3) == together
    thread.join(10)
    assert entered.is_set()


def test_what_fails_gives_its_memory_back(large):
    memory = DecodingMemory(decoding_bytes(large))
    with pytest.raises(ZeroDivisionError), memory.reserved(large):
        raise ZeroDivisionError
    with memory.reserved(large):
        pass
