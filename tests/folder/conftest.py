"""A few pictures, for runs over folders."""

import pytest
from pictures import make_pictures


@pytest.fixture
def few(tmp_path):
    """Five pictures in a folder, two of them alike."""
    folder = tmp_path / "few"
    make_pictures(folder, 4)
    (folder / "0" / "more.png").write_bytes((folder / "0" / "000.png").read_bytes())
    return folder
