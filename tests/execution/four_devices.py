"""Tests that need four devices; ``test_sharding.py`` runs them in a process that has as many."""

import dataclasses
import math
import re

import jax
import numpy as np
import pytest
from helpers import compilations

import jaxdream as jd
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.execution import memory
from jaxdream.execution.memory import peak_bytes
from jaxdream.execution.octave import Octave
from jaxdream.execution.planner import plan_layouts
from jaxdream.execution.shapes import TiledLayout
from jaxdream.execution.tiles import Tiling
from jaxdream.objectives import boundary, cosine, custom, direction, layer, of_network, style

KEY = jax.random.key(0)
COLLECTIVES = "collective-permute|all-gather|all-reduce|reduce-scatter|all-to-all"


def photographs(*shape):
    return np.random.default_rng(math.prod(shape)).uniform(0, 255, (*shape, 3)).astype(np.float32)


def mean(x):
    return x.mean()


def test_there_are_four_devices():
    assert jd.shard_rows().count == jd.shard_pictures().count == 4


@pytest.mark.parametrize(
    ("sharding", "shape", "scan", "what"),
    [
        (jd.shard_rows, (61, 40), False, "mask"),  # a height that does not divide
        (jd.shard_rows, (3, 43, 50), True, "optimizer"),
        (jd.shard_rows, (43, 50), False, "whole"),
        (jd.shard_rows, (61, 40), False, "direction"),
        (jd.shard_rows, (61, 40), False, "style"),
        (jd.shard_pictures, (4, 31, 30), True, "network"),
        (jd.shard_pictures, (8, 43, 30), True, "mask"),
    ],
)
def test_a_dream_on_four_devices_is_that_on_one(tiny, sharding, shape, scan, what):
    image = photographs(*shape)
    options = {"steps": 2, "octaves": 1, "jitter": 5, "scan": scan, "step_size": 10.0}
    if what == "optimizer":
        options |= {"optimizer": "adam", "step_size": 5.0, "smooth": 1.0}
    if what == "mask":
        options["mask"] = np.linspace(0, 1, math.prod(shape), dtype=np.float32).reshape(shape)
    if what == "whole":
        options["objective"] = custom("second")(mean)
    if what == "direction":
        vector = np.array([1.0, -0.5, 0.25, 2.0, -1.0])
        sums = direction("second", vector, power=2, mean=True) + cosine("second", vector)
        assert sums.local
        options["objective"] = sums + layer("first", mean=True)
    if what == "style":
        options["objective"] = style(tiny, photographs(30, 40), "second") - 1e-3 * boundary(4)
    if what == "network":
        options["objective"] = layer("second") + of_network(tiny, layer("first"))
    alone = list(jd.iterate_dream(KEY, tiny, image, **options))
    with compilations() as names:
        shared = list(jd.iterate_dream(KEY, tiny, image, shard=sharding(), **options))
    # Only once: what comes out of a step lies where the next one takes it from.
    assert names.count("jit(_run_steps)") == 1
    for one, other in zip(alone, shared, strict=True):
        assert len(other.array.sharding.device_set) == 4
        np.testing.assert_allclose(other.at_octave, one.at_octave, atol=0.02)
        np.testing.assert_allclose(other.info.value, one.info.value, rtol=1e-4)


def octave_of(model, objective, size, count, sharding):
    if sharding is not None:
        model, objective = sharding.replicate((model, objective))
    (layout,) = plan_layouts(
        [size], count, model=model, rule=StepRule(), objective=objective, steps=1
    )
    return Octave(model, objective, layout, np.asarray(1.5, np.float32), StepRule(), sharding)


def compiled(model, objective, size, count, sharding):
    (program,) = octave_of(model, objective, size, count, sharding).compile(1).executables
    return program


def floats_exchanged(program):
    """The largest array of each kind of exchange between devices."""
    found = {}
    for results, kind in re.findall(
        rf"= (.*) ({COLLECTIVES})(?:-start)?\(", program.as_text()
    ):  # fmt: skip
        shapes = re.findall(r"[a-z0-9]+\[([0-9,]*)\]", results)
        most = max(math.prod(map(int, shape.split(","))) if shape else 1 for shape in shapes)
        found[kind] = max(most, found.get(kind, 0))
    return found


def test_rows_are_fetched_from_the_neighbours_and_maps_stay_apart():
    """With GoogLeNet's layers, on a height that divides by nothing."""
    model, objective, size = (
        jd.load_model("googlenet_mini"),
        layer("pool2/3x3_s2"),
        (251, 96),
    )
    one = compiled(model, objective, size, 1, None)
    four = compiled(model, objective, size, 1, jd.shard_rows())
    assert floats_exchanged(one) == {}
    exchanged = floats_exchanged(four)
    first_map = (256 // 2) * (96 // 2) * model.graph.channels["conv1/7x7_s2"]
    assert exchanged["collective-permute"] < first_map / 16  # a few rows
    # The gradient with respect to the picture, and nothing that is larger.
    assert max(exchanged.values()) <= 256 * 96 * 3 < first_map
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(model))
    assert peak_bytes(four) - weights < 0.6 * (peak_bytes(one) - weights)

    image = photographs(*size)
    options = {"objective": objective, "steps": 1, "octaves": 1}
    dreams = [jd.dream(KEY, model, image, shard=s, **options) for s in (None, jd.shard_rows())]
    np.testing.assert_allclose(*dreams, atol=0.02)


def test_pictures_of_a_batch_are_computed_with_nothing_exchanged(tiny):
    program = compiled(tiny, layer("first"), (60, 70), 8, jd.shard_pictures())
    assert floats_exchanged(program) == {}


def test_pictures_of_different_sizes_are_shared_out(tiny):
    images = [photographs(*size) for size in ((40, 50), (44, 61), (41, 53), (47, 49), (43, 60))]
    options = {"steps": 2, "octaves": 1, "jitter": 3, "step_size": 10.0}
    dreams = jd.dream_batch(KEY, tiny, images, shard=jd.shard_pictures(), **options)
    assert [dreamed.shape for dreamed in dreams] == [image.shape for image in images]
    alone = jd.dream(jax.random.fold_in(KEY, 4), tiny, images[4], **options)
    np.testing.assert_allclose(dreams[4], alone, atol=0.02)


def test_tiled_too(tiny):
    image, objective, rows = photographs(70, 50), layer("second"), jd.shard_rows()
    offsets = np.array([[[3, -4]]], np.int32)
    octave = octave_of(tiny, objective, (70, 50), 1, None)
    whole, *_ = octave.compile(1).run(octave.start([image]), offsets)

    octave = octave_of(tiny, objective, (70, 50), 1, rows)
    layout = TiledLayout((70, 50), ((70, 50),), Tiling((32, 64), (4, 4), (6, 6)))
    octave = dataclasses.replace(octave, layout=layout)
    with compilations() as names:
        state, *_ = octave.compile(1).run(octave.start([image]), offsets)
    assert [names.count(f"jit({name})") for name in ("_forward", "_backward")] == [1, 1]
    np.testing.assert_allclose(state.image, whole.image[:, :70, :50], atol=0.02)


def test_memory_is_that_of_each_device():
    devices = jax.local_devices()
    # These four share the machine's.
    assert memory.available(10**15, devices) == pytest.approx(10**15 / 4, rel=1e-3)


@pytest.mark.parametrize(
    ("image", "line"),
    [
        (photographs(20, 20), r"a single picture: give a batch, or use shard='rows'"),
        (photographs(6, 20, 20), r"4 devices cannot share 6 pictures evenly: give a multiple of 4"),
    ],
)
def test_what_cannot_be_shared_out_is_said(tiny, image, line):
    with pytest.raises(jd.JaxdreamError, match=line):
        jd.dream(KEY, tiny, image, shard=jd.shard_pictures())
