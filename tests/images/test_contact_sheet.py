import numpy as np
import pytest

import jaxdream as jd
from jaxdream.images.contact_sheet import contact_sheet, enlarge


def flat(level, height=20, width=30):
    return np.full((height, width, 3), level, np.float32)


def test_pictures_row_by_row():
    sheet = contact_sheet([flat(10), flat(20), flat(30)], columns=2, gap=4)
    assert sheet.shape == (2 * 20 + 3 * 4, 2 * 30 + 3 * 4, 3)
    assert (sheet[4:24, 4:34] == 10).all()
    assert (sheet[4:24, 38:68] == 20).all()
    assert (sheet[28:48, 4:34] == 30).all()
    assert (sheet[28:48, 38:68] == 255).all()
    assert (sheet[:4] == 255).all()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_is_about_square(count, columns):
    sheet = contact_sheet([flat(0)] * count, gap=0)
    assert sheet.shape[1] == columns * 30


def test_labels_are_under_their_pictures():
    sheet = contact_sheet([flat(10), flat(20)], ["lIl", ""], columns=2, gap=4, letters=10)
    assert sheet.shape == (20 + 15 + 8, 72, 3)
    assert (sheet[4:24, 4:34] == 10).all()
    under = sheet[24:39]
    assert under[:, 4:34].min() < 100
    assert (under[:, 38:68] == 255).all()
    dark = contact_sheet([flat(10)], ["lIl"], background=0.0)
    assert dark.max() > 150


def test_a_long_label_keeps_within_its_column():
    names = ["inception_4c/output 12, and more of it", "b"]
    sheet = contact_sheet([flat(10), flat(20)], names, columns=2, gap=6, letters=12)
    under = sheet[26:44]
    assert under[:, 6:36].min() < 100
    for gap in (under[:, :6], under[:, 36:42], under[:, 72:]):
        assert (gap == 255).all()


def test_smaller_pictures_are_centred():
    sheet = contact_sheet([flat(10), flat(20, 10, 10)], columns=1, gap=0)
    assert sheet.shape == (40, 30, 3)
    assert (sheet[20:30, 10:20] == 20).all()
    assert (sheet[20:30, :10] == 255).all()


def test_enlarge_makes_squares():
    picture = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    large = enlarge(picture, 3)
    assert large.shape == (6, 6, 3)
    assert (large[:3, 3:] == picture[0, 1]).all()


@pytest.mark.parametrize(
    ("pictures", "options", "message"),
    [
        ([], {}, "at least one picture"),
        ([flat(0)], {"labels": ["a", "b"]}, "2 labels for 1 pictures"),
        (
            [flat(0)],
            {"columns": 0},
            "columns and letters must be at least 1, gap at least 0, not columns=0",
        ),
        ([flat(0)], {"gap": -1}, "gap=-1"),
    ],
)
def test_bad_settings_say_so(pictures, options, message):
    with pytest.raises(jd.JaxdreamError, match=message):
        contact_sheet(pictures, **options)
