"""ReLUs that can be woken: for starts from noise, on which what one looks for may be silent.

A ReLU whose inputs are all negative lets no gradient through, and a picture that excites nothing
never changes. Here such a ReLU, and only such, lets through what would raise its inputs.

Source: the "redirected" gradients of ``lucid``'s ``misc/redirected_relu_grad.py`` (Google), whose
rule this is, in our own words: only where a picture would otherwise get no gradient at all.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxdream.models.graph import Node
from jaxdream.models.network import Network, evaluate
from jaxdream.models.ops import Relu


@jax.custom_vjp
def redirected_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """ReLU of one picture's map; where no gradient passes at all, that which raises ``x`` does."""
    return jax.nn.relu(x)


def _forward(x: Array) -> tuple[Array, Array]:
    return jax.nn.relu(x), x > 0


def _backward(awake: Array, gradient: Array) -> tuple[Array]:
    passed = jnp.where(awake, gradient, 0)
    silent = jnp.all(passed == 0)
    return (jnp.where(silent, jnp.maximum(gradient, 0), passed),)


redirected_relu.defvjp(_forward, _backward)


def redirected_activations(
    model: Network, x: Float[Array, "1 h w 3"], layers: Sequence[str]
) -> dict[str, Array]:
    """The activations ``model(x, layers=layers)`` of one picture, with ReLUs that can be woken."""

    def apply(node: Node, inputs: Sequence[Array]) -> Array:
        if isinstance(node.op, Relu):
            return redirected_relu(inputs[0])
        return model.apply(node, inputs)

    return evaluate(model.graph, x, layers, apply)
