"""Reading the text of a compiled program."""

import pytest

from compilation.hlo import parse


def test_instructions(gpu_text):
    program = parse(gpu_text)
    assert list(program) == ["add", "fused_slice", "fused_update", "inner", "body", "main"]
    body = program["body"]
    assert body["updated"].op == "fusion"
    assert body["updated"].operands == ("map", "row.1", "step")
    assert body["updated"].called == ("fused_update",)
    assert body["repeated"].trips == 3
    assert [i.name for i in body.values() if i.is_root] == ["next"]
    assert program["fused_update"]["row"].number == 1
    assert len(body["state"].buffers) == 3


@pytest.mark.parametrize(
    ("layout", "size"),
    [
        ("f32[7]", 28),
        ("f32[]", 4),
        ("bf16[3,5]{1,0}", 30),
        ("pred[3,5]{1,0}", 15),
        ("s4[8]{0}", 4),
        ("f8e4m3fn[8]{0}", 8),
        ("f32[]{:T(128)}", 4 * 128),
        ("f32[3,130]{1,0:T(8,128)}", 4 * 8 * 256),
        ("f32[3,130]{0,1:T(8,128)}", 4 * 128 * 136),
        ("bf16[2,3,130]{2,1,0:T(8,128)(2,1)}", 2 * 2 * 8 * 256),
    ],
)
def test_bytes_of_an_array_with_the_tiles_it_lies_in(layout, size):
    program = parse(f"%main (x: f32[1]) -> f32[1] {{\n  ROOT %x = {layout} parameter(0)\n}}")
    (buffer,) = program["main"]["x"].buffers
    assert buffer.size == buffer.moved == size


def test_arrays_on_the_chip(tpu_text):
    body = parse(tpu_text)["body"]
    assert body["near"].moved == 0
    assert body["near"].size == 2 * 32 * 128
    assert [buffer.on_chip for buffer in body["move"].buffers] == [True, False, True]
