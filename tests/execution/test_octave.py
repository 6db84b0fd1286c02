"""How often things compile, and that a program that pictures share gives the same dream."""

import threading

import jax
import numpy as np
import pytest
from helpers import compilations, photograph

import jaxdream as jd
from jaxdream.algorithm.optimizers import StepRule
from jaxdream.execution.octave import Octave
from jaxdream.execution.planner import plan_layouts
from jaxdream.objectives import custom, guide, layer

# As cameras and web sites have them: 4:3, 3:2, 16:9, squares, portraits and odd crops.
SIZES = (
    (480, 640), (600, 800), (768, 1024), (427, 640), (333, 500), (683, 1024), (576, 1024),
    (720, 1280), (540, 960), (512, 512), (800, 800), (640, 480), (1024, 768), (900, 600),
    (500, 334), (960, 540), (375, 500), (450, 600), (612, 816), (540, 720),
)  # fmt: skip


@pytest.mark.slow
def test_twenty_photographs_need_few_programs_and_few_more_pixels(tiny):
    shapes = jd.plan_shapes(SIZES)
    objective = layer("data")

    def planned(size):
        sizes = jd.plan_octaves(size)
        return plan_layouts(
            sizes, 1, model=tiny, rule=StepRule(), objective=objective, steps=1, shapes=shapes
        )

    layouts = [layout for size in SIZES for layout in planned(size)]
    programs = {layout.shape for layout in layouts}
    assert len(programs) <= 20, programs
    computed = sum(height * width for height, width in (layout.shape for layout in layouts))
    true = sum(height * width for layout in layouts for height, width in layout.sizes)
    assert computed <= 1.3 * true
    # What is planned is what is compiled, once.
    options = {"objective": objective, "steps": 1, "shapes": shapes}
    smallest = min(SIZES)
    with compilations() as names:
        jd.dream(0, tiny, photograph(*smallest), **options)
    own = {layout.shape for layout in planned(smallest)}
    assert names.count("jit(_run_steps)") == len(own)
    with compilations() as names:
        jd.dream(0, tiny, photograph(*smallest), **options)  # a second run
        jd.dream(0, tiny, photograph(330, 497), **options)  # another one that falls into the same
    assert names == []


@pytest.mark.parametrize(("size", "scan"), [((40, 61), True), ((61, 40), False)])
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
    shapes = {state.layout.shape for state in states}
    assert names.count("jit(_run_steps)") == len(shapes)
    assert len(threads) == 4
    assert all(name.startswith("jaxdream-compile") for name in threads)


def test_the_executables_run_without_jit(tiny, monkeypatch):
    """The steps call compiled programs that they hold: nothing is looked up in jit's cache."""
    from jaxdream.execution import octave

    monkeypatch.setattr(octave.run_step, "__call__", pytest.fail, raising=False)
    states = jd.iterate_dream(0, tiny, photograph(40, 48), steps=2, octaves=1)
    next(states)
    jax.clear_caches()
    with compilations() as names:
        next(states)
    assert "jit(_run_steps)" not in names


@pytest.mark.parametrize("optimizer", ["classic", "adam"])
def test_element_wise_optimizers_share_padded_programs(tiny, optimizer):
    images = [photograph(40, 61), photograph(44, 57)]  # both padded to 48x64
    options = {"optimizer": optimizer, "steps": 2, "octaves": 1, "objective": layer("second")}
    with compilations() as names:
        for image in images:
            shared = jd.dream(0, tiny, image, **options)
    assert names.count("jit(_run_steps)") == 1
    exact = jax.jit(lambda image: jd.dream(0, tiny, image, **options))(images[1])
    # Adam divides by the gradient's size: where that is next to nothing, rounding decides.
    assert np.mean(np.abs(shared - exact) > 0.02) < 0.005


def lowered(model, count, **options):
    """The program for ``count`` steps, as XLA gets it."""
    objective, rule = layer("second"), StepRule()
    (layout,) = plan_layouts(
        [(40, 48)], 1, model=model, rule=rule, objective=objective, steps=1, **options
    )
    (program,) = Octave(model, objective, layout, np.asarray(1.5, np.float32), rule).lower(count)
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
    for optimizer in ("classic", "adam"):
        jd.dream(jax.random.key(0), tiny, image, steps=2, octaves=1, scan=True, optimizer=optimizer)
        np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(("precision", "kind"), [("float32", "f32"), ("bfloat16", "bf16")])
def test_products_are_exact_in_the_networks_precision(tiny, precision, kind):
    text = lowered(tiny.with_precision(precision), 1).as_text()
    products = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert len(products) >= 3  # forward and back
    for line in products:
        assert line.rstrip().endswith(f"x{kind}>")
        assert "HIGHEST" in line


def test_bfloat16_is_a_setting_of_the_machine(tiny):
    image, options = photograph(40, 48), {"steps": 2, "octaves": 1}
    exact = jd.dream(0, tiny, image, **options)
    rough = jd.dream(0, tiny, image, precision="bfloat16", **options)
    assert rough.dtype == np.float32
    assert 1e-4 < np.abs(rough - exact).mean() < 0.5
