import numpy as np
from safetensors.numpy import load

from jaxdream.files.safetensors_bytes import safetensors_bytes


def test_equal_arrays_are_equal_bytes():
    arrays = {
        name: np.full((3, number + 1), number, np.float32) for number, name in enumerate("cab")
    }
    metadata = {name: name for name in "zyxwvutsrq"}
    contents = {safetensors_bytes(arrays, metadata) for _ in range(20)}
    assert len(contents) == 1
    loaded = load(contents.pop())
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)
