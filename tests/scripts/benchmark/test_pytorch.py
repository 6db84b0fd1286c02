"""The network and the step in PyTorch are the same as jaxdream's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdream as jd

torch = pytest.importorskip("torch", reason="no PyTorch: pip install '.[bench]'")

from benchmark import pytorch, steps  # noqa: E402
from benchmark.internals import load_subject  # noqa: E402
from benchmark.results import LAYOUTS  # noqa: E402


@pytest.mark.parametrize("name", ["googlenet", "inception_v3_2015"])
def test_pytorch_computes_what_jaxdream_does(name):
    subject = load_subject(name, None, None)
    preprocessing, end, offset = subject.preprocessing, subject.layer, (7, -5)
    model = subject.network()
    image = steps.picture((97, 110))
    classic = jd.classic_optimizer(1.5)
    objective = jd.objectives.layer(end)
    channels = slice(None, None, -1 if preprocessing.order == "BGR" else 1)

    @jax.jit
    def ours(model, image):
        acts = model(model.preprocess(image)[None], layers=(end,))[end]
        state = jd.start_ascent(image, optimizer=classic)
        state, _ = jd.ascent_step(model, objective, state, np.array(offset), optimizer=classic)
        return acts, jd.objective_and_gradient(model, objective, image), state.image

    with jax.default_matmul_precision("highest"):
        acts, (value, gradient), stepped = ours(model, image)

    def nchw(image):
        return torch.from_numpy(np.array(model.preprocess(image))).permute(2, 0, 1)[None]

    def hwc(tensor):
        return tensor[0].detach().permute(1, 2, 0).numpy()

    def pixels(x):
        return (x * preprocessing.scale + preprocessing.mean)[..., channels]

    low, high = (nchw(np.full((1, 1, 3), level, np.float32)) for level in (0, 255))
    for layout in LAYOUTS:
        network = steps.torch_network(subject, layout, "cpu")
        np.testing.assert_allclose(
            hwc(network(nchw(image))), acts[0], atol=1e-4 * float(acts.max())
        )
        energy, slope = network.gradient(nchw(image))
        assert float(energy) == pytest.approx(float(value), rel=1e-4)
        slope = hwc(slope)[..., channels] / preprocessing.scale[0]
        error = np.abs(slope - gradient).max(-1) / float(jnp.abs(gradient).max())
        # Where two values of a max-pool are nearly equal, rounding decides.
        assert np.mean(error < 1e-3) > 0.99
        after = pytorch.ascent_step(
            network, nchw(image), offset, step_size=1.5 / preprocessing.scale[0], low=low, high=high
        )
        error = np.abs(pixels(hwc(after)) - stepped).max(-1)
        assert np.mean(error < 0.05) > 0.99
