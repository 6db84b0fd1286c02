"""Every other library's network against ours, with the same random weights.

The recordings, and what made them: ``scripts/record_networks.py``. The weights go through a file of
the library's own kind, so that its reader is tested as well.
"""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from random_weights import RECORDED, random_array, random_picture, samples
from safetensors.numpy import save_file

import jaxdream as jd
from jaxdream.models.inception5h import inception5h, tensorflow_names
from jaxdream.models.weights.porting.tensorflow import _graph_def
from jaxdream.models.weights.porting.torch_tables import TABLES, TorchTable
from jaxdream.models.weights.registry import record_of


@pytest.fixture(scope="module", autouse=True)
def exact_matmul():
    with jax.default_matmul_precision("highest"):
        yield


def torch_state(name: str, *, classes: int | None = None) -> dict[str, np.ndarray]:
    """A state dict with a library's names and shapes, and random weights."""
    table = table_for(name)
    graph = table.build() if classes is None else table.build().with_classes(classes)
    state = {}
    for scope, layer in table.layers.items():
        if scope not in graph.kernel_shapes:
            continue
        kernel = graph.kernel_shapes[scope]
        shape = (*kernel[:1:-1], *kernel[:2]) if len(kernel) == 4 else kernel[::-1]
        module = layer.modules[-1]
        names = {f"{module}.weight": shape}
        if layer.norm is None:
            names[f"{module}.bias"] = kernel[-1:]
        else:
            kinds = ("weight", "bias", "running_mean", "running_var")
            names |= {f"{layer.norm}.{kind}": kernel[-1:] for kind in kinds}
            names[f"{layer.norm}.num_batches_tracked"] = ()
        state |= {each: random_array(each, shape) for each, shape in names.items()}
    return state


def table_for(name: str) -> TorchTable:
    graph = record_of(name).build()
    return next(table for table in TABLES if table.build() is graph)


def write_graph(path, arrays: Mapping[str, np.ndarray]):
    """A file such as TensorFlow's ``tensorflow_inception_graph.pb``."""
    graph = _graph_def()()
    graph.node.add(name="input", op="Placeholder")
    for name, array in arrays.items():
        tensor = graph.node.add(name=name, op="Const").attr.add(key="value").value.tensor
        tensor.dtype = 1
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
        tensor.tensor_content = array.tobytes()
    path.write_bytes(graph.SerializeToString())


def tensorflow_arrays() -> dict[str, np.ndarray]:
    arrays = {}
    for scope, name in tensorflow_names().items():
        shape = inception5h().kernel_shapes[scope]
        arrays[f"{name}_w"] = random_array(f"{name}_w", shape, inputs=int(np.prod(shape[:-1])))
        arrays[f"{name}_b"] = random_array(f"{name}_b", shape[-1:])
    return arrays


def energy(layer, model, picture):
    act = model(model.preprocess(picture)[None], layers=(layer,))[layer]
    return 0.5 * jnp.square(act).sum()


def check(recording: str, model):
    with np.load(RECORDED / f"{recording}.npz") as file:
        expected = dict(file)
    picture = random_picture(*expected["size"])
    layers = [key.partition("|")[2] for key in expected if key.startswith("layer|")]
    compute = jax.jit(lambda model, x: model(model.preprocess(x)[None], layers=layers))
    for layer, act in compute(model, picture).items():
        assert act.shape[1:] == tuple(expected[f"shape|{layer}"]), layer
        error = np.abs(samples(act) - expected[f"layer|{layer}"]).max()
        assert error < 1e-4 * expected[f"largest|{layer}"], layer
    for layer in (key.partition("|")[2] for key in expected if key.startswith("gradient|")):
        gradient = jax.jit(jax.grad(partial(energy, layer), argnums=1))(model, picture)
        error = np.abs(samples(gradient) - expected[f"gradient|{layer}"])
        error /= expected[f"largest gradient|{layer}"]
        # Of two nearly equal values in a pool, another processor may find the other one larger.
        assert error.max() < 1e-2, layer
        assert np.quantile(error, 0.9) < 1e-5, layer


SLOW = pytest.mark.slow
TORCH = [
    "resnet50",
    "googlenet_torchvision",
    pytest.param("inception_v4", marks=SLOW),
    pytest.param("inception_resnet_v2", marks=SLOW),
]


@pytest.mark.parametrize("name", TORCH)
def test_networks_of_pytorch(tmp_path, name):
    path = tmp_path / "model.safetensors"
    save_file(torch_state(name), path)
    model = jd.load_model(weights=path)
    assert model.name == name
    check(name, model)


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_vgg_without_its_classifier(tmp_path, name):
    state = torch_state(name)
    path = tmp_path / "model.safetensors"
    save_file({key: a for key, a in state.items() if key.startswith("features.")}, path)
    model = jd.load_model(weights=path)
    assert model.name == name
    assert list(model.graph.names)[-1] == "pool5"
    check(name, model)


@SLOW
def test_the_classifier_of_vgg_on_a_wide_picture(tmp_path):
    save_file(torch_state("vgg16"), tmp_path / "model.safetensors")
    check("vgg16_classifier", jd.load_model(weights=tmp_path / "model.safetensors"))


@pytest.fixture(scope="module")
def of_tensorflow(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tensorflow_inception_graph.pb"
    write_graph(path, tensorflow_arrays())
    return jd.load_model(weights=path)


@pytest.mark.parametrize("recording", [pytest.param("inception5h", marks=SLOW), "inception5h_odd"])
def test_the_network_of_tensorflow(of_tensorflow, recording):
    assert of_tensorflow.name == "inception5h"
    check(recording, of_tensorflow)
