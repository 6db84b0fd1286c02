"""Record what other libraries compute with weights that anyone can make again, for the tests.

python scripts/record_networks.py NETWORK ...

The weights are those of tests/random_weights.py. Each network needs its own library: torchvision or
timm, with torch; or tensorflow, for inception5h. Of jaxdream nothing is needed, so that an
environment with such a library alone will do.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from random_weights import RECORDED, random_array, random_picture, samples  # noqa: E402

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5,) * 3, (0.5,) * 3


def save(name: str, picture: np.ndarray, layers: Mapping[str, Any], gradients: Mapping) -> None:
    """Write samples of activations and gradients, NHWC, by our names of the layers."""
    arrays: dict[str, Any] = {"size": picture.shape[:2]}
    for layer, values in layers.items():
        arrays |= {f"shape|{layer}": values.shape[1:], f"layer|{layer}": samples(values)}
        arrays[f"largest|{layer}"] = np.abs(values).max()
    for layer, values in gradients.items():
        arrays |= {f"gradient|{layer}": samples(values)}
        arrays[f"largest gradient|{layer}"] = np.abs(values).max()
    RECORDED.mkdir(exist_ok=True)
    path = RECORDED / f"{name}.npz"
    np.savez_compressed(path, **arrays)
    print(f"{path}: {path.stat().st_size / 1000:.1f} kB; largest activations:")
    print({layer: float(np.abs(values).max()) for layer, values in layers.items()})


# PyTorch's.


def record_torch(
    name: str,
    model: Any,
    size: tuple[int, int],
    layers: Mapping[str, str],
    gradient_of: str | None,
    normalisation: tuple = IMAGENET,
) -> None:
    """Record a PyTorch network: ``layers`` are its modules by our names."""
    torch = import_module("torch")

    state = {k: random_array(k, tuple(v.shape)) for k, v in model.state_dict().items()}
    model.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
    model.eval()
    found: dict[str, Any] = {}

    def hook(layer: str) -> Callable[..., None]:
        # A copy at once, since what comes next may change it in place.
        return lambda _module, _inputs, output: found.update({layer: output.clone()})

    modules = dict(model.named_modules())
    for layer, module in layers.items():
        modules[module].register_forward_hook(hook(layer))
    array = random_picture(*size)
    picture = torch.from_numpy(array).requires_grad_()
    mean, std = (torch.tensor(numbers) for numbers in normalisation)
    x = (picture / 255 - mean) / std
    model(x.permute(2, 0, 1)[None])
    gradients = {}
    if gradient_of is not None:
        (gradient,) = torch.autograd.grad(0.5 * (found[gradient_of] ** 2).sum(), picture)
        gradients[gradient_of] = gradient.numpy()
    acts = {layer: _channels_last(found[layer].detach().numpy()) for layer in layers}
    save(name, array, acts, gradients)


def _channels_last(array: np.ndarray) -> np.ndarray:
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def vgg(depth: int) -> None:
    """Without the classifier, which is most of it."""
    torchvision = import_module("torchvision")

    model = getattr(torchvision.models, f"vgg{depth}")()
    model.avgpool = model.classifier = import_module("torch").nn.Identity()
    five = {16: ("features.24", "features.30"), 19: ("features.28", "features.36")}[depth]
    layers = {
        "conv1_1": "features.0",
        "relu1_2": "features.3",
        "pool1": "features.4",
        "relu3_3": "features.15",
        "conv5_1": five[0],
        "pool5": five[1],
    }
    record_torch(f"vgg{depth}", model, (51, 66), layers, "pool5")


def vgg16_classifier() -> None:
    """timm's, on a picture of more than 224 pixels, without a gradient.

    That of a whole VGG in torch's float32 is by 3% another than in float64: among its millions of
    units some are near the edge of a ReLU, or two of them near to the same maximum.
    """
    timm = import_module("timm")

    layers = {"fc6": "pre_logits.fc1", "relu7": "pre_logits.act2", "fc8": "head.fc"}
    record_torch("vgg16_classifier", timm.create_model("vgg16"), (225, 257), layers, None)


def resnet50() -> None:
    torchvision = import_module("torchvision")

    layers = {
        "conv1": "bn1",
        "maxpool": "maxpool",
        "layer1.0.conv3": "layer1.0.bn3",
        "layer1.0.downsample": "layer1.0.downsample.1",
        "layer1.0": "layer1.0",
        "layer1": "layer1",
        "layer2.0.conv2": "layer2.0.bn2",
        "layer2": "layer2",
        "layer3.2": "layer3.2",
        "layer4": "layer4",
        "logits": "fc",
    }
    record_torch("resnet50", torchvision.models.resnet50(), (75, 98), layers, "layer3.2")


def googlenet_torchvision() -> None:
    """With its own scaling of the input, which is on where its weights are loaded."""
    torchvision = import_module("torchvision")

    model = torchvision.models.googlenet(init_weights=False, transform_input=True)
    layers = {"conv1/relu_7x7": "conv1", "pool1/3x3_s2": "maxpool1", "logits": "fc"}
    layers |= {"pool4/3x3_s2": "maxpool4", "inception_3a/relu_5x5": "inception3a.branch3.1"}
    blocks = ("3a", "3b", "4a", "4c", "4e", "5a", "5b")
    layers |= {f"inception_{block}/output": f"inception{block}" for block in blocks}
    record_torch("googlenet_torchvision", model, (75, 98), layers, "inception_4c/output")


def inception_v4() -> None:
    timm = import_module("timm")

    blocks = {"Conv2d_2b": 2, "Mixed_3a": 3, "Mixed_4a": 4, "Mixed_5a": 5, "Mixed_5b": 6}
    blocks |= {"Mixed_5e": 9, "Mixed_6a": 10, "Mixed_6b": 11, "Mixed_6h": 17, "Mixed_7a": 18}
    blocks |= {"Mixed_7b": 19, "Mixed_7d": 21}
    layers = {ours: f"features.{index}" for ours, index in blocks.items()}
    layers |= {"Mixed_5c.branch1.0": "features.7.branch1.0", "logits": "last_linear"}
    record_torch(
        "inception_v4", timm.create_model("inception_v4"), (83, 98), layers, "Mixed_6b", HALF
    )


def inception_resnet_v2() -> None:
    timm = import_module("timm")

    names = ("conv2d_4a", "maxpool_5a", "mixed_5b", "repeat.0", "repeat.0.conv2d", "repeat")
    names += ("mixed_6a", "repeat_1.0", "repeat_1.4", "repeat_1", "mixed_7a", "repeat_2.0")
    names += ("repeat_2", "block8", "conv2d_7b")
    layers = {name: name for name in names} | {"logits": "classif"}
    model = timm.create_model("inception_resnet_v2")
    record_torch("inception_resnet_v2", model, (83, 98), layers, "repeat_1.4", HALF)


# TensorFlow's.

# As the shapes of its constants are: 1x1, 3x3_bottleneck, 3x3, 5x5_bottleneck, 5x5, pool_reduce.
INCEPTION5H = {
    "mixed3a": (64, 96, 128, 16, 32, 32),
    "mixed3b": (128, 128, 192, 32, 96, 64),
    "mixed4a": (192, 96, 204, 16, 48, 64),
    "mixed4b": (160, 112, 224, 24, 64, 64),
    "mixed4c": (128, 128, 256, 24, 64, 64),
    "mixed4d": (112, 144, 288, 32, 64, 64),
    "mixed4e": (256, 160, 320, 32, 128, 128),
    "mixed5a": (256, 160, 320, 48, 128, 128),
    "mixed5b": (384, 192, 384, 48, 128, 128),
}


def inception5h_layers(picture: Any) -> dict[str, Any]:
    """Every layer of the graph that we record, by the operations that it has."""
    tf = import_module("tensorflow")

    layers: dict[str, Any] = {}

    def weights(name: str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        inputs = int(np.prod(shape[:-1]))
        kernel = random_array(f"{name}_w", shape, inputs=inputs)
        return kernel, random_array(f"{name}_b", shape[-1:])

    def conv(name: str, x: Any, features: int, side: int = 1, stride: int = 1) -> Any:
        kernel, bias = weights(name, (side, side, x.shape[-1], features))
        y = tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, "SAME"), bias)
        layers[f"{name}_pre_relu"] = y
        layers[name] = tf.nn.relu(y)
        return layers[name]

    def pool(name: str, x: Any, stride: int = 2) -> Any:
        layers[name] = tf.nn.max_pool2d(x, 3, stride, "SAME")
        return layers[name]

    def norm(name: str, x: Any) -> Any:
        layers[name] = tf.nn.lrn(x, depth_radius=5, bias=2.0, alpha=1e-4, beta=0.5)
        return layers[name]

    x = norm("localresponsenorm0", pool("maxpool0", conv("conv2d0", picture - 117, 64, 7, 2)))
    x = norm("localresponsenorm1", conv("conv2d2", conv("conv2d1", x, 64), 192, 3))
    x = pool("maxpool1", x)
    for block, (ones, reduce_3, threes, reduce_5, fives, reduced) in INCEPTION5H.items():
        if block in ("mixed4a", "mixed5a"):
            x = pool("maxpool4" if block == "mixed4a" else "maxpool10", x)
        three = conv(f"{block}_3x3_bottleneck", x, reduce_3)
        five = conv(f"{block}_5x5_bottleneck", x, reduce_5)
        parts = [
            conv(f"{block}_1x1", x, ones),
            conv(f"{block}_3x3", three, threes, 3),
            conv(f"{block}_5x5", five, fives, 5),
            conv(f"{block}_pool_reduce", pool(f"{block}_pool", x, 1), reduced),
        ]
        layers[block] = x = tf.concat(parts, -1)
    kernel, bias = weights("softmax2", (1024, 1008))
    layers["logits"] = tf.reduce_mean(x, (1, 2)) @ kernel + bias
    return layers


def inception5h() -> None:
    """On a picture of even sides and on one of odd sides, which TensorFlow pads in another way."""
    tf = import_module("tensorflow")

    recorded = ("conv2d0_pre_relu", "maxpool0", "localresponsenorm0", "localresponsenorm1")
    recorded += ("maxpool1", "mixed3a_5x5", "mixed3b_pool", "maxpool4", "maxpool10", "logits")
    recorded += tuple(INCEPTION5H)
    for name, size in {"inception5h": (64, 96), "inception5h_odd": (77, 99)}.items():
        array = random_picture(*size)
        picture = tf.Variable(array)
        with tf.GradientTape() as tape:
            layers = inception5h_layers(picture[None])
            value = 0.5 * tf.reduce_sum(layers["mixed4c"] ** 2)
        gradient = tape.gradient(value, picture).numpy()
        acts = {layer: layers[layer].numpy() for layer in recorded}
        save(name, array, acts, {"mixed4c": gradient})


def small_graph() -> None:
    """A file of TensorFlow's own, with constants of every kind that there are in inception5h."""
    tf = import_module("tensorflow")

    graph = tf.Graph()
    with graph.as_default():
        tf.constant(np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4), name="conv2d1_w")
        tf.constant(np.full(4, 0.5, np.float32), name="conv2d1_b")
        tf.constant(np.asarray([[1, 2, 3], [4, 5, 6]], np.float16), name="softmax2_w")
        tf.constant(np.asarray([7, 8, 9], np.float64), name="softmax2_b")
        tf.constant(np.ones((2, 2), np.float32), name="head0_bottleneck_w")
        tf.constant(3, name="mixed3a/concat_dim")
        tf.constant(np.asarray([1.5], np.float32), name="another")
        tf.identity(tf.constant(2.5, name="scalar"), name="conv2d1")
    path = RECORDED / "small_graph.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    print(f"{path}: {path.stat().st_size} bytes")


NETWORKS: dict[str, Callable[[], None]] = {
    "vgg16": lambda: vgg(16),
    "vgg19": lambda: vgg(19),
    "vgg16_classifier": vgg16_classifier,
    "resnet50": resnet50,
    "googlenet_torchvision": googlenet_torchvision,
    "inception_v4": inception_v4,
    "inception_resnet_v2": inception_resnet_v2,
    "inception5h": inception5h,
    "small_graph": small_graph,
}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="record other libraries' networks for the tests")
    parser.add_argument("networks", nargs="+", choices=list(NETWORKS), metavar="NETWORK",
                        help=", ".join(NETWORKS))  # fmt: skip
    for name in parser.parse_args().networks:
        NETWORKS[name]()


if __name__ == "__main__":
    main()
