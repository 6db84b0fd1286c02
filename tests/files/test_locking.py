import pytest

from jaxdream import JaxdreamError
from jaxdream.files.locking import Busy, folder_lock


def test_one_at_a_time(tmp_path):
    path = tmp_path / ".lock"
    with folder_lock(path), pytest.raises(Busy, match="another run of jaxdream is writing into"):
        folder_lock(path).__enter__()
    with folder_lock(path):
        pass


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JaxdreamError, match=r"cannot write into .*file"):
        folder_lock(tmp_path / "file" / ".lock").__enter__()
