"""How often things compile, and that pictures which share a program are none the worse for it."""

import threading
from contextlib import contextmanager

import jax
import numpy as np
import pytest

import jaxdream as jd
from jaxdream.execution.planner import octave_programs
from jaxdream.models.network import Network
from jaxdream.objectives import custom, guide, layer


@contextmanager
def compilations():
    """Names of all programs that XLA is asked to compile, however small."""
    names = []

    def note(event, _, **details):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(details["fun_name"])

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


def photograph(height, width):
    return np.random.default_rng(height * width).uniform(0, 255, (height, width, 3))


# As cameras and web sites have them: 4:3, 3:2, 16:9, squares, portraits and odd crops.
SIZES = (
    (480, 640), (600, 800), (768, 1024), (427, 640), (333, 500), (683, 1024), (576, 1024),
    (720, 1280), (540, 960), (512, 512), (800, 800), (640, 480), (1024, 768), (900, 600),
    (500, 334), (960, 540), (375, 500), (450, 600), (612, 816), (540, 720),
)  # fmt: skip


def test_twenty_photographs_need_few_programs_and_few_more_pixels(tiny):
    """With a network that is quick to compile; the sizes of programs depend on no network."""
    key = jax.random.key(0)
    options = {"objective": layer("data"), "steps": 1, "canvases": jd.plan_canvases(SIZES)}
    computed = true = 0
    with compilations() as names:
        for size in SIZES:
            for state in jd.iterate_dream(key, tiny, photograph(*size), **options):
                computed += state.array.shape[0] * state.array.shape[1]
                true += state.image.shape[0] * state.image.shape[1]
    assert len(names) <= 20, names
    assert computed <= 1.3 * true
    with compilations() as names:
        jd.dream(key, tiny, photograph(*SIZES[0]), **options)  # a second run
        jd.dream(key, tiny, photograph(470, 630), **options)  # another one that falls into the same
    assert names == []


@pytest.mark.parametrize("size", [(40, 61), (61, 40)])
@pytest.mark.parametrize("scan", [True, False])
def test_a_shared_program_dreams_the_same(tiny, size, scan):
    image = np.round(photograph(*size))
    options = {"steps": 3, "octaves": 2, "jitter": 5, "scan": scan, "step_size": 10.0}
    shared = jd.dream(jax.random.key(0), tiny, image, **options)
    # Under jit a dream is traced, and then in arrays of the picture's own size.
    exact = jax.jit(lambda image: jd.dream(jax.random.key(0), tiny, image, **options))(image)
    assert shared.shape == exact.shape
    np.testing.assert_allclose(shared, exact, atol=0.02)


def test_objectives_that_need_the_whole_picture_get_it_exactly(tiny):
    image = photograph(40, 61)
    shapes = []

    @custom("second")
    def mean(x):
        shapes.append(x.shape)
        return x.mean()

    jd.dream(jax.random.key(0), tiny, image, objective=mean, octaves=1, steps=1)
    assert set(shapes) == {(20, 30, 5)}
    local = layer("second") + 0.1 * guide(tiny, image, "second")
    assert local.local
    assert not (local * layer("second")).local
    assert not mean.local


def test_the_octaves_compile_in_another_thread_and_once(tiny, monkeypatch):
    threads = []
    compile_ = jax.stages.Lowered.compile

    def noted(lowered, *args, **options):
        threads.append(threading.current_thread().name)
        return compile_(lowered, *args, **options)

    monkeypatch.setattr(jax.stages.Lowered, "compile", noted)
    image, objective = photograph(200, 300), layer("first")
    with compilations() as names:
        states = list(
            jd.iterate_dream(jax.random.key(0), tiny, image, objective=objective, steps=1)
        )
    canvases = {state.canvas.shape for state in states}
    assert names.count("jit(_run_steps)") == len(canvases)
    assert len(threads) == 4
    assert all(name.startswith("jaxdream-compile") for name in threads)


def lowered(model, count, **options):
    """The program for ``count`` steps, as XLA gets it."""
    size = (40, 48)
    (steps,) = octave_programs(model, layer("second"), [size], **options)
    (program,) = steps.lower((), count)
    return program


def test_an_octave_on_an_accelerator_is_one_loop_in_the_memory_of_its_picture(tiny):
    octave, step = lowered(tiny, 5).as_text(), lowered(tiny, 1).as_text()
    assert "stablehlo.while" in octave
    assert "stablehlo.while" not in step
    picture = next(argument for argument in octave.split("%arg") if "48x3xf32" in argument)
    assert "tf.aliasing_output" in picture or "jax.buffer_donor" in picture
    assert "tf.aliasing_output" not in step
    assert "jax.buffer_donor" not in step
    for text in octave, step:
        assert "callback" not in text  # nothing goes to the host on the way


def test_the_picture_that_was_given_is_still_there_after_an_octave_in_its_place(tiny):
    image = jax.numpy.asarray(photograph(40, 48), jax.numpy.float32)
    before = np.array(image)
    for optimizer in (None, jd.named_optimizer("adam")):
        jd.dream(jax.random.key(0), tiny, image, steps=2, octaves=1, scan=True, optimizer=optimizer)
        np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(("precision", "kind"), [("float32", "f32"), ("bfloat16", "bf16")])
def test_precision_is_the_networks_and_exact_where_it_is_float32(tiny, precision, kind):
    weights = {
        f"{scope}/{name}": np.asarray(getattr(part, name)[...])
        for scope, part in tiny.params.items()
        for name in ("kernel", "bias")
    }
    model = Network(
        "tiny", tiny.graph, tiny.preprocessing, "second", weights, "", precision=precision
    )
    text = lowered(model, 1).as_text()
    products = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert len(products) >= 3  # forward and back
    for line in products:
        assert line.rstrip().endswith(f"x{kind}>")
        assert "HIGHEST" in line
    dreamed = jd.dream(jax.random.key(0), model, photograph(40, 48), steps=2, octaves=1)
    assert dreamed.dtype == np.float32
    exact = jd.dream(jax.random.key(0), tiny, photograph(40, 48), steps=2, octaves=1)
    assert np.abs(dreamed - exact).mean() < (1e-6 if precision == "float32" else 0.5)
