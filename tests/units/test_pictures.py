import numpy as np
import pytest
from helpers import photograph

import jaxdream as jd
from jaxdream.folder.inputs import find_inputs
from jaxdream.units.pictures import Unreadable, fit, folder_hash, read_batches, shown_size, stacked


def test_a_picture_fills_the_size_from_its_middle():
    wide = np.zeros((20, 60, 3), np.float32)
    wide[:, 20:40] = 200
    shown = fit(wide, (20, 20))
    assert shown.shape == (20, 20, 3)
    assert (shown == 200).all()
    assert fit(photograph(7, 9).astype(np.float32), (21, 14)).shape == (21, 14, 3)
    same = photograph(6, 8).astype(np.float32)
    np.testing.assert_array_equal(fit(same, (6, 8)), same)


def test_the_size_is_that_of_the_network_or_a_square(tiny):
    assert shown_size(None, tiny) == (224, 224)
    assert shown_size("30", tiny) == (30, 30)
    assert shown_size("30x20", tiny) == (20, 30)
    with pytest.raises(jd.JaxdreamError, match="not a size"):
        shown_size("big", tiny)


def test_pictures_are_read_in_order_and_those_that_cannot_be_are_told(tmp_path):
    for i in range(5):
        jd.write_image(tmp_path / f"{i}.png", np.full((8, 8, 3), 10 * i, np.float32))
    (tmp_path / "2.png").write_bytes(b"nothing")
    inputs = find_inputs([tmp_path])
    batches = list(read_batches(inputs, [1, 2, 3, 4], (4, 4), batch=3))
    assert [read.numbers for read in batches] == [[1, 2, 3], [4]]
    first, bad, _ = batches[0].pictures
    assert isinstance(bad, Unreadable)
    assert bad.name == "2.png"
    assert bad.reason.count(str(tmp_path / "2.png")) == 1
    assert (first == 10).all()
    array, valid = stacked(batches[0].pictures, (4, 4), 4)
    assert valid.tolist() == [True, False, True, False]
    assert (array[2] == 30).all()


def test_a_changed_folder_has_another_hash(tmp_path):
    jd.write_image(tmp_path / "a.png", photograph(8, 8))
    before = folder_hash(find_inputs([tmp_path]))
    assert folder_hash(find_inputs([tmp_path])) == before
    jd.write_image(tmp_path / "b.png", photograph(8, 8))
    more = folder_hash(find_inputs([tmp_path]))
    jd.write_image(tmp_path / "b.png", photograph(9, 9))
    assert len({before, more, folder_hash(find_inputs([tmp_path]))}) == 3
