"""Small networks of one's own, as users write them, for tests."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx

TOKENS = 9  # of ``token_network``
SIDE = 12  # of its pictures


class Block(nnx.Module):
    """A convolution that is called twice, in no alphabetical order."""

    def __init__(self, before, channels, rngs):
        self.second = nnx.Conv(channels, channels, (3, 3), rngs=rngs)
        self.first = nnx.Conv(before, channels, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(channels, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.first(x)))
        self.sow(nnx.Intermediate, "relu", x)
        return self.second(self.second(self.drop(x)))


class OwnNet(nnx.Module):
    """Two blocks and a classifier of four classes."""

    def __init__(self, seed=0):
        rngs = nnx.Rngs(seed)
        self.blocks = nnx.List([Block(3, 4, rngs), Block(4, 5, rngs)])
        self.head = nnx.Linear(5, 4, rngs=rngs)

    def features(self, x):
        for block in self.blocks:
            x = block(x)
        return x

    def __call__(self, x):
        return self.head(self.features(x).mean(axis=(1, 2)))


def own_net(seed=0):
    """The network in evaluation mode."""
    net = OwnNet(seed)
    net.eval()
    return net


class LinenNet(linen.Module):
    """A convolution twice, with dropout in training."""

    @linen.compact
    def __call__(self, x, train=True):
        x = linen.Conv(4, (3, 3), name="zeroth")(x)
        x = linen.Dropout(0.5, deterministic=not train)(linen.relu(x))
        self.sow("intermediates", "dropped", x)
        return linen.Dense(3, name="dense")(x.mean(axis=(1, 2)))


def tiny_function(tiny):
    """What the tiny network computes, as a function of its weights and pictures."""

    def activations(params, x):
        def conv(name, x):
            kernel, bias = params[name]
            numbers = ("NHWC", "HWIO", "NHWC")
            y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)
            return y + bias

        first = conv("first", x)
        relu = jax.nn.relu(first)
        # Windows of 3 by 2, of which the last is not whole.
        ends = [(0, 0), *((0, 1 - side % 2) for side in x.shape[1:3]), (0, 0)]
        pool = jax.lax.reduce_window(relu, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ends)
        return {"first": first, "relu": relu, "pool": pool, "second": conv("second", pool)}

    weights = {name: (layer.kernel[...], layer.bias[...]) for name, layer in tiny.params.items()}
    return activations, weights


def token_network(params, x):
    """Nine tokens of 4x4 pixels each, and a vector."""
    n = len(x)
    patches = x.reshape(n, 3, 4, 3, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(n, TOKENS, -1)
    tokens = jnp.tanh(patches @ params["embed"])
    mixed = tokens + jnp.tanh(jnp.einsum("ts,nsc->ntc", params["mix"], tokens))
    return {"tokens": tokens, "mixed": mixed, "pooled": mixed.mean(axis=1)}


def token_params():
    """The arrays of ``token_network``."""
    random = np.random.default_rng(0)
    return {
        "embed": random.normal(0, 0.3, (48, 6)).astype(np.float32),
        "mix": random.normal(0, 0.5, (TOKENS, TOKENS)).astype(np.float32),
    }
