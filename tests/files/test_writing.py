import hashlib

import pytest

from jaxdream import JaxdreamError
from jaxdream.files.reading import file_hash
from jaxdream.files.writing import replacing


def test_takes_the_place_of_the_old_file_when_it_is_whole(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def fail_half_way(path):
    with replacing(path) as file:
        file.write(b"ne")
        raise RuntimeError("half way")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("name", ["no/x", "x" * 300])
def test_what_cannot_be_written_is_one_line(tmp_path, name):
    with pytest.raises(JaxdreamError, match=r"^cannot write"), replacing(tmp_path / name):
        pass


def test_hash(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert file_hash(tmp_path / "x", "sha1") == hashlib.sha1(b"abc").hexdigest()
