"""Small programs as XLA prints them: of a GPU, of a TPU, and of several devices."""

import pytest

GPU = """\
HloModule jit_steps, is_scheduled=true

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%fused_slice (whole: f32[100,10], other: f32[10]) -> f32[10] {
  %whole = f32[100,10]{1,0} parameter(0)
  %other = f32[10]{0} parameter(1)
  %part = f32[1,10]{1,0} slice(%whole), slice={[3:4], [0:10]}
  %flat = f32[10]{0} bitcast(%part)
  ROOT %both = f32[10]{0} add(%flat, %other)
}

%fused_update (whole: f32[100,10], row: f32[1,10], at: s32[]) -> f32[100,10] {
  %whole.1 = f32[100,10]{1,0} parameter(0)
  %row = f32[1,10]{1,0} parameter(1)
  %at = s32[] parameter(2)
  %zero = s32[] constant(0)
  ROOT %put = f32[100,10]{1,0} dynamic-update-slice(%whole.1, %row, %at, %zero)
}

%inner (state.1: (f32[10])) -> (f32[10]) {
  %state.1 = (f32[10]{0}) parameter(0)
  %value = f32[10]{0} get-tuple-element(%state.1), index=0
  %twice = f32[10]{0} add(%value, %value)
  ROOT %next.1 = (f32[10]{0}) tuple(%twice)
}

%body (state: (s32[], f32[100,10], f32[10])) -> (s32[], f32[100,10], f32[10]) {
  %state = (s32[], f32[100,10]{1,0}, /*index=2*/f32[10]{0}) parameter(0)
  %step = s32[] get-tuple-element(%state), index=0
  %map = f32[100,10]{1,0} get-tuple-element(%state), index=1
  %sums = f32[10]{0} get-tuple-element(%state), index=2
  %sliced = f32[10]{0} fusion(%map, %sums), kind=kLoop, calls=%fused_slice
  %row.1 = f32[1,10]{1,0} bitcast(%sliced)
  %updated = f32[100,10]{1,0} fusion(%map, %row.1, %step), kind=kLoop, calls=%fused_update
  %conv = (bf16[100,10]{1,0}, u8[0]{0}) custom-call(%updated), custom_call_target="__cudnn$conv"
  %reduced = f32[10]{0} reduce(%updated, %step), dimensions={0}, to_apply=%add
  %start = (f32[10]{0}) tuple(%reduced)
  %repeated = (f32[10]{0}) while(%start), condition=%any, body=%inner, \
backend_config={"known_trip_count":{"n":"3"}}
  ROOT %next = (s32[], f32[100,10]{1,0}, f32[10]{0}) tuple(%step, %updated, %reduced)
}

ENTRY %main (given: (s32[], f32[100,10], f32[10])) -> (s32[], f32[100,10], f32[10]) {
  %given = (s32[], f32[100,10]{1,0}, f32[10]{0}) parameter(0)
  ROOT %loop = (s32[], f32[100,10]{1,0}, f32[10]{0}) while(%given), condition=%any, body=%body
}
"""

TPU = """\
HloModule jit_steps

%body (state: (f32[16,100], bf16[32,128])) -> (f32[16,100], bf16[32,128]) {
  %state = (f32[16,100]{1,0:T(8,128)}, bf16[32,128]{1,0:T(8,128)(2,1)S(1)}) parameter(0)
  %map = f32[16,100]{1,0:T(8,128)} get-tuple-element(%state), index=0
  %near = bf16[32,128]{1,0:T(8,128)(2,1)S(1)} get-tuple-element(%state), index=1
  %move = (f32[16,100]{1,0:T(8,128)S(1)}, f32[16,100]{1,0:T(8,128)}, u32[]{:S(2)}) \
copy-start(%map)
  %moved = f32[16,100]{1,0:T(8,128)S(1)} copy-done(%move)
  %cut = ((f32[16,100]{1,0:T(8,128)}), f32[8,100]{1,0:T(8,128)S(1)}, s32[]{:S(2)}) \
slice-start(%map), slice={[0:8], [0:100]}
  %half = f32[8,100]{1,0:T(8,128)S(1)} slice-done(%cut)
  %product = bf16[32,128]{1,0:T(8,128)(2,1)S(1)} multiply(%near, %near)
  %out = f32[16,100]{1,0:T(8,128)} add(%moved, %moved)
  ROOT %next = (f32[16,100]{1,0:T(8,128)}, bf16[32,128]{1,0:T(8,128)(2,1)S(1)}) \
tuple(%out, %product)
}

ENTRY %main (given: (f32[16,100], bf16[32,128])) -> (f32[16,100], bf16[32,128]) {
  %given = (f32[16,100]{1,0:T(8,128)}, bf16[32,128]{1,0:T(8,128)(2,1)S(1)}) parameter(0)
  ROOT %loop = (f32[16,100]{1,0:T(8,128)}, bf16[32,128]{1,0:T(8,128)(2,1)S(1)}) \
while(%given), condition=%any, body=%body
}
"""

SEVERAL = """\
HloModule jit_steps

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%fused (rows: f32[4,10]) -> f32[4,10] {
  %rows = f32[4,10]{1,0} parameter(0)
  ROOT %sum.1 = f32[4,10]{1,0} all-reduce(%rows), channel_id=3, to_apply=%add
}

%body (state: f32[4,10]) -> f32[4,10] {
  %state = f32[4,10]{1,0} parameter(0)
  %send = (f32[4,10]{1,0}, f32[4,10]{1,0}) collective-permute-start(%state), channel_id=1, \
source_target_pairs={{0,1},{1,2}}
  %halo = f32[4,10]{1,0} collective-permute-done(%send)
  %total = f32[4,10]{1,0} all-reduce-start(%halo), channel_id=2, to_apply=%add
  %all = f32[4,10]{1,0} all-reduce-done(%total)
  ROOT %next = f32[4,10]{1,0} fusion(%all), kind=kCustom, calls=%fused
}

ENTRY %main (given: f32[4,10]) -> f32[4,10] {
  %given = f32[4,10]{1,0} parameter(0)
  ROOT %loop = f32[4,10]{1,0} while(%given), condition=%any, body=%body
}
"""


@pytest.fixture
def gpu_text():
    """A step with two fusions, a convolution, a reduction, and a loop of three additions."""
    return GPU


@pytest.fixture
def tpu_text():
    """A step with a transfer of a whole map and of half of it, and two kernels."""
    return TPU


@pytest.fixture
def several_text():
    """A step with three exchanges, one of them in a fusion."""
    return SEVERAL
