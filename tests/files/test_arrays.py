import numpy as np
import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.files.arrays import read_arrays, write_arrays

ARRAYS = {"a/b": np.arange(6.0).reshape(2, 3), "names": np.array(["ö", "x"])}


def test_arrays_and_their_description_come_back(tmp_path):
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for path in paths:
        write_arrays(path, {"count": 3, "name": "\udcff"}, ARRAYS)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    about, arrays = read_arrays(paths[0], dict[str, int | str])
    assert about == {"count": 3, "name": "\udcff"}
    assert arrays.keys() == ARRAYS.keys()
    assert all((arrays[name] == ARRAYS[name]).all() for name in arrays)


def test_damaged_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "x.npz"
    write_arrays(path, {"count": 3}, ARRAYS)
    whole = path.read_bytes()
    for content in (b"", b"nothing", whole[:100], whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(JaxdreamError, match=r"x\.npz") as error:
            read_arrays(path, dict[str, int])
        assert "\n" not in str(error.value)
    for arrays in (ARRAYS, {"about": np.array("[]")}, {"about": np.array([None], object)}):
        np.savez(path, **arrays)
        with pytest.raises(JaxdreamError, match="not jaxdream's"):
            read_arrays(path, dict[str, int])
    with pytest.raises(JaxdreamError, match="no such file"):
        read_arrays(tmp_path / "none.npz", dict[str, int])
