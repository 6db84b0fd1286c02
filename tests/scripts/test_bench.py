"""``scripts/bench.py``: what it counts, what it prints, and that PyTorch's network is ours."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import bench_graph
import bench_machine
import bench_processes
import bench_report
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bench_graph import Subject
from bench_results import FIRST, LAYOUTS, SECOND, LayerTimes, Measured, Results, Run, Runs, Steps
from helpers import deprocess

import jaxdream as jd
from jaxdream.models.googlenet import googlenet
from jaxdream.models.network import Network
from jaxdream.models.weights.registry import record_of
from jaxdream.objectives import layer

SCRIPT = Path(bench_graph.__file__).with_name("bench.py")

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="no PyTorch: pip install '.[bench]'"
)


def test_operations_by_hand(tiny):
    # 3x3 over 3 channels to 4 at 24x30; pooled to 12x15, 3x3 over 4 channels to 5.
    forward = {"first": 2 * 24 * 30 * 27 * 4, "second": 2 * 12 * 15 * 36 * 5}
    assert bench_graph.layer_flops(tiny.graph, "second", (24, 30)) == forward
    assert bench_graph.step_flops(tiny.graph, "second", (24, 30)) == 2 * sum(forward.values())
    assert bench_graph.layer_flops(tiny.graph, "relu", (24, 30)) == {"first": forward["first"]}


def test_operations_of_googlenet_are_those_published():
    # Szegedy et al. 2014, table 1, operations of the 3x3 and 7x7 convolutions: 34 and 360 million
    # multiply-adds for conv1 and conv2 (reduction and all), for pictures of 224x224.
    flops = bench_graph.layer_flops(googlenet(), "pool2/3x3_s2", (224, 224))
    assert flops["conv1/7x7_s2"] == 2 * 112 * 112 * 147 * 64
    conv2 = flops["conv2/3x3_reduce"] + flops["conv2/3x3"]
    assert conv2 / 2e6 == pytest.approx(360, rel=0.02)


def test_random_weights_keep_activations_in_range():
    graph = googlenet()
    weights = bench_graph.random_weights(graph)
    pixels = record_of("googlenet").preprocessing
    model = Network("googlenet", graph, pixels, "prob", weights, "random")
    image = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)
    act = model(model.preprocess(image)[None], layers=("conv2/3x3",))
    assert 1 < float(jnp.std(act["conv2/3x3"])) < 1000


@pytest.fixture
def results():
    """Measurements that are easy to divide."""
    versions = {"jax": "0.1", "torch": "0.2"}
    machine = bench_machine.Machine("abacus", 2, 2**34, "Linux", "cpu: cpu", "cpu", versions)
    ours, default = Measured((0.1, 0.2, 0.3)), Measured((0.2, 0.4, 0.4))
    slower = Measured((1.0, 1.0, 1.0))
    seconds = {"jaxdream": ours, "PyTorch default": default, "PyTorch channels_last": slower}
    results = Results(machine, "2015-06-17", {"googlenet": "random"}, 10**9, {"PyTorch": default})
    results.steps.append(
        Steps("googlenet", "4c", (384, 512), 2 * 10**9, seconds, dict.fromkeys(seconds, 1.5))
    )
    times = LayerTimes("conv1", 10**9, seconds, seconds)
    results.layers.append(("googlenet", (384, 512), [times, times]))
    runs = {
        FIRST: [Run(30.0, 5.0, 2**30)],
        SECOND: [Run(10.0, 2.0, 2**29)],
        "PyTorch default": [Run(40.0, None, 2**28)],
        "PyTorch channels_last": [Run(20.0, 3.0, 2**28)],
    }
    results.runs.append(Runs("googlenet", "4c", (575, 1024), runs))
    results.startup["jaxdream --help"] = [Run(0.04, None, 0), Run(0.08, None, 0)]
    results.others = {"steps": 0.02, "runs": 0.5}
    return results


def test_ratios_are_of_the_best_layout_round_by_round(results):
    assert results.steps[0].ratio.values == pytest.approx((0.5, 0.5, 0.75))
    assert results.runs[0].ratio(FIRST).median == 1.5
    assert results.rate == 10**9 / 0.4


def test_tables(results):
    text = bench_report.to_markdown(results)
    assert "2015-06-17; abacus, 2 cores, 16 GiB; Linux\n" in text
    assert "| googlenet 4c, 384x512 | 200 (150-250) | 400 (300-400) |" in text
    # 2 GFLOP in 0.2 s, of 2.5 GFLOP/s; the median of three ratios; compilation.
    assert "| 0.50 | 2.0 | 10 (400%) | 5 (200%) | 1.5 |" in text
    assert "| googlenet 4c, 575x1024, jaxdream, second run | 10.0 | 0.50 | 2.0 | 512 |" in text
    assert "| googlenet 4c, 575x1024, PyTorch default | 40.0 | 2.00 | not shown | 256 |" in text
    assert "| `jaxdream --help` | 0.06 (0.05-0.07) |" in text
    assert "| sum | 4.00 | 400.0 | 400.0 | 800.0 | 800.0 | -800.0 | 5 | 2 |" in text
    assert "other programs used 2% of the processors: steps\n" in text
    assert "50% of the processors: runs (WARNING: not idle)" in text
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_json_holds_every_measurement_and_the_ratios(results):
    values = json.loads(results.to_json())
    assert values["steps"][0]["seconds"]["jaxdream"]["values"] == [0.1, 0.2, 0.3]
    assert values["steps"][0]["ratio"] == 0.5
    assert values["runs"][0]["ratio"] == {FIRST: 1.5, SECOND: 0.5}


def test_a_process_is_timed_to_its_first_step_and_its_memory_is_its_own():
    held = np.ones(30_000_000)  # 240 MB that are ours, not the process's
    script = "import time; time.sleep(0.2); print('step 1/2', flush=True); time.sleep(0.3)"
    run = bench_processes.run_process([sys.executable, "-c", script], os.environ)
    assert 0.2 < run.first_step < run.seconds - 0.25
    assert 2**20 < run.peak_bytes < held.nbytes / 2
    with pytest.raises(RuntimeError, match="broken"):
        bench_processes.run_process([sys.executable, "-c", "raise OSError('broken')"], os.environ)


def test_the_load_of_others_is_not_our_own():
    load = bench_machine.OthersLoad()
    jax.block_until_ready(jnp.ones((800, 800)) @ jnp.ones((800, 800)))
    share = load.share()
    assert share is None or 0 <= share <= 1
    assert bench_machine.load_now(0.05).startswith("load average")


def subject_of(name, graph, pixels, end):
    return Subject(name, graph, pixels, end, bench_graph.random_weights(graph), "random")


def test_what_others_disturb_is_measured_again_while_there_is_patience(monkeypatch):
    shares = iter([0.5, 0.02, 0.5])
    monkeypatch.setattr(bench_machine.OthersLoad, "share", lambda _: next(shares))
    quiet = bench_machine.Quiet(0.4)
    values = iter("abc")
    assert quiet(lambda: next(values)) == "b"
    assert quiet(lambda: next(values)) == "c"
    assert quiet.share == pytest.approx(0.26)


@needs_torch
@pytest.mark.parametrize("name", ["googlenet", "inception_v3_2015"])
def test_pytorch_computes_what_jaxdream_does(name):
    import bench_steps
    import bench_torch
    import torch

    record = record_of(name)
    pixels, end, offset = record.preprocessing, record.default_layer, (7, -5)
    subject = subject_of(name, record.build(), pixels, end)
    model = bench_steps.network_of(subject)
    image = bench_steps.picture((97, 110))
    classic = jd.classic_optimizer(1.5)

    @jax.jit
    def ours(model, image):
        acts = model(model.preprocess(image)[None], layers=(end,))[end]
        state = jd.start_ascent(image, optimizer=classic)
        state, _ = jd.ascent_step(model, layer(end), state, np.array(offset), optimizer=classic)
        return acts, jd.objective_and_gradient(model, layer(end), image), state.image

    with jax.default_matmul_precision("highest"):
        acts, (value, gradient), stepped = ours(model, image)

    def nchw(image):
        return torch.from_numpy(np.array(model.preprocess(image))).permute(2, 0, 1)[None]

    def hwc(tensor):
        return tensor[0].detach().permute(1, 2, 0).numpy()

    low, high = (nchw(np.full((1, 1, 3), level, np.float32)) for level in (0, 255))
    for layout in LAYOUTS:
        network = bench_steps.torch_network(subject, layout, "cpu")
        np.testing.assert_allclose(
            hwc(network(nchw(image))), acts[0], atol=1e-4 * float(acts.max())
        )
        loss, slope = network.gradient(nchw(image))
        assert float(loss) == pytest.approx(float(value), rel=1e-4)
        slope = hwc(slope)[..., :: -1 if pixels.order == "BGR" else 1] / pixels.scale[0]
        error = np.abs(slope - gradient).max(-1) / float(jnp.abs(gradient).max())
        # Where two values of a max-pool are nearly equal, rounding chooses.
        assert np.mean(error < 1e-3) > 0.99
        after = bench_torch.ascent_step(
            network, nchw(image), offset, step_size=1.5 / pixels.scale[0], low=low, high=high
        )
        error = np.abs(np.asarray(deprocess(model, hwc(after))) - stepped).max(-1)
        assert np.mean(error < 0.05) > 0.99


@needs_torch
def test_layer_by_layer(tiny):
    import bench_steps

    subject = subject_of("tiny", tiny.graph, tiny.preprocessing, "second")
    times = bench_steps.measure_layers(
        subject, (24, 30), rounds=2, platform="cpu", quiet=bench_machine.Quiet(0)
    )
    assert [item.name for item in times] == ["relu", "pool", "second"]
    assert times[0].flops == 155520
    for item in times:
        for measured in (*item.forward.values(), *item.gradient.values()):
            assert len(measured.values) == 2
            assert min(measured.values) > 0


@needs_torch
def test_the_benchmark_as_it_is_run(tmp_path):
    outputs = ["--json", tmp_path / "out.json", "--markdown", tmp_path / "out.md"]
    done = bench("--quick", "--only", "googlenet", *outputs)
    assert done.returncode == 0, done.stderr
    assert "load average" in done.stderr
    assert (tmp_path / "out.md").read_text() == done.stdout.removesuffix("\n")
    for title in (
        "### One step",
        "### A whole run",
        "### Large pictures",
        "### Several pictures",
        "### Start-up",
    ):
        assert title in done.stdout
    values = json.loads((tmp_path / "out.json").read_text())
    assert values["steps"][0]["size"] == [96, 128]
    assert [large["size"] for large in values["large"]] == [[96, 96], [192, 192]]
    (runs,) = values["runs"]
    assert len(runs["runs"]) == 4
    for several in runs["runs"].values():
        assert 0 < several[0]["first_step"] < several[0]["seconds"]
        assert several[0]["peak_bytes"] > 2**26


@needs_torch
def test_a_bad_weight_file_is_one_line(tmp_path):
    done = bench("--quick", "--googlenet", tmp_path / "none.caffemodel")
    assert done.returncode == 1
    assert "none.caffemodel" in done.stderr
    assert "Traceback" not in done.stderr


def bench(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=environment
    )
