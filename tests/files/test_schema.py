import msgspec
import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.files.schema import convert, decode


class Note(msgspec.Struct):
    name: str
    counts: list[int] = []


def test_what_fits_is_a_value_of_the_type():
    assert decode(b'{"name": "x", "counts": [1, 2]}', Note) == Note("x", [1, 2])
    assert convert({"name": "x"}, Note) == Note("x")
    assert decode('{"name": "\\udc80"}', Note).name == "\udc80"  # of a name that is not UTF-8


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"name": NaN}', "NaN is no number"),
        (b"[]", "expected object, got array"),
        (b"{}", "object missing required field name"),
        (b'{"name": 1}', "name: expected str, got int"),
        (b'{"name": "x", "counts": [1, "x"]}', r"counts\[1\]: expected int, got str"),
    ],
)
def test_what_does_not_is_one_line(content, says):
    with pytest.raises(JaxdreamError, match=says) as error:
        decode(content, Note)
    assert "\n" not in str(error.value)
    assert "`" not in str(error.value)
