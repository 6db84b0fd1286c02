"""The outputs of modules that are written in ways which ``nnx.capture`` alone does not see."""

import jax
import numpy as np
import pytest
from flax import nnx

import jaxdream as jd
from jaxdream.models.module_outputs import module_outputs

X = np.random.default_rng(0).uniform(0, 1, (2, 6, 5, 3)).astype(np.float32)


class Inherits(nnx.Conv):
    """A convolution by another name."""


class Activated(nnx.Conv):
    """What it inherits, and more."""

    def __call__(self, x):
        return nnx.relu(super().__call__(x))


class Chain(nnx.Sequential):
    """As PyTorch's users write a block."""

    def __init__(self, rngs):
        super().__init__(nnx.Conv(4, 4, (3, 3), rngs=rngs), nnx.relu)


class Net(nnx.Module):
    slope = 0.5
    activation = staticmethod(nnx.leaky_relu)

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.plain = nnx.Conv(3, 4, (1, 1), rngs=rngs)
        self.inherits = Inherits(4, 4, (1, 1), rngs=rngs)
        self.activated = Activated(4, 4, (1, 1), rngs=rngs)
        self.chain = Chain(rngs)

    @staticmethod
    def doubled(x):
        return 2 * x

    @classmethod
    def leaky(cls, x):
        return cls.activation(x, cls.slope)

    @property
    def first(self):
        return self.plain

    def __call__(self, x):
        x = self.doubled(self.first(x))
        return self.chain(self.activated(self.leaky(self.inherits(x))))


def expected(net):
    plain = net.plain(X)
    inherits = net.inherits(2 * plain)
    activated = nnx.relu(nnx.Conv.__call__(net.activated, nnx.leaky_relu(inherits, 0.5)))
    return {
        "plain": plain,
        "inherits": inherits,
        "activated": activated,
        "chain": nnx.relu(net.chain.layers[0](activated)),
    }


def test_methods_that_a_class_inherits_and_static_ones():
    net = Net()
    model = jd.wrap(net)
    wanted = expected(net)
    assert [info.name for info in model.layers()][1:] == [
        "plain", "inherits", "activated", "chain/layers/0", "chain", "output",
    ]  # fmt: skip
    found = model(X, layers=tuple(wanted))
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, atol=1e-5, err_msg=name)


def test_the_classes_are_as_before(monkeypatch):
    kinds = (Net, Inherits, Activated, Chain, nnx.Conv, nnx.Sequential)
    before = [dict(vars(kind)) for kind in kinds]
    net = Net()
    jd.wrap(net)(X, layers=("chain",))
    assert [dict(vars(kind)) for kind in kinds] == before

    def fails(*_):
        raise KeyError("x")

    monkeypatch.setattr(Chain, "__call__", fails, raising=False)
    before = [dict(vars(kind)) for kind in kinds]
    with pytest.raises(KeyError):
        module_outputs(net, X)
    assert [dict(vars(kind)) for kind in kinds] == before


def test_modules_within_transforms():
    class Stack(nnx.Module):
        def __init__(self):
            @nnx.split_rngs(splits=3)
            @nnx.vmap(in_axes=(0,), out_axes=0)
            def make(rngs):
                return Activated(3, 3, (1, 1), rngs=rngs)

            self.many = make(nnx.Rngs(0))
            self.last = nnx.Conv(3, 3, (1, 1), rngs=nnx.Rngs(1))

        def __call__(self, x):
            @nnx.scan(in_axes=(0, nnx.Carry), out_axes=nnx.Carry)
            def through(block, x):
                return block(x)

            remembered = nnx.remat(lambda block, x: block(x))
            return remembered(self.last, through(self.many, x))

    net = Stack()
    model = jd.wrap(net)
    np.testing.assert_allclose(model(X, layers=("output",))["output"], net(X), atol=1e-5)
    gradient = jax.grad(lambda x: model(x, layers=("output",))["output"].sum())(X)
    assert np.isfinite(gradient).all()


class MakesAnother(nnx.Module):
    """A module that makes one of the same class as its part while it is called."""

    def __init__(self):
        self.part = nnx.Conv(3, 4, (1, 1), rngs=nnx.Rngs(0))

    def __call__(self, x):
        other = nnx.Conv(4, 2, (1, 1), rngs=nnx.Rngs(1))
        return other(self.part(x))


def test_a_module_that_is_no_part_of_the_network_is_none_of_its_layers():
    net = MakesAnother()
    found = module_outputs(net, X)
    assert [path for path, _ in found] == [("__call__",), ("part", "__call__")]
    np.testing.assert_array_equal(dict(found)["__call__",][0], net(X))
