"""Redirected ReLU gradients, for optimisation from noise.

A ReLU whose inputs are all negative passes no gradient, so a picture that activates no unit of a
layer never changes. Here such a ReLU, and only such, passes those gradients that would raise its
inputs.

Source: the "redirected" gradients of ``lucid``'s ``misc/redirected_relu_grad.py`` (Google), used
here only where a picture would otherwise get no gradient at all.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.models.graph import Node
from jaxdream.models.graph_network import GraphNetwork, activations_by
from jaxdream.models.network import Network
from jaxdream.models.ops import Relu


@jax.custom_vjp
def redirected_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """ReLU of one picture's map; if no gradient passes at all, that which raises ``x`` does."""
    return jax.nn.relu(x)


def _forward(x: Array) -> tuple[Array, Array]:
    return jax.nn.relu(x), x > 0


def _backward(active: Array, gradient: Array) -> tuple[Array]:
    passed = jnp.where(active, gradient, 0)
    all_zero = jnp.all(passed == 0)
    return (jnp.where(all_zero, jnp.maximum(gradient, 0), passed),)


redirected_relu.defvjp(_forward, _backward)


def redirected_activations(
    model: Network, x: Float[Array, "1 h w 3"], layers: Sequence[str]
) -> dict[str, Array]:
    """``model(x, layers=layers)`` for one picture, with redirected ReLU gradients.

    Where a wrapped network has ReLUs is not known, so its gradients stay what they are.
    """
    if not isinstance(model, GraphNetwork):
        return model(x, layers=layers)

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        if isinstance(node.op, Relu):
            return redirected_relu(inputs[0])
        return model.apply(node, inputs)

    return activations_by(model, x, layers, apply)
