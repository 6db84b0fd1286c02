"""``wrap``: any network that JAX computes, as one of jaxdream's."""

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx, traverse_util
from jaxtyping import Array

from jaxdream.errors import JaxdreamError, JaxdreamWarning
from jaxdream.files.reading import printable
from jaxdream.models.module_outputs import module_outputs
from jaxdream.models.network import Network
from jaxdream.models.preprocessing import Preprocessing
from jaxdream.models.weights.check import weights_sha256
from jaxdream.models.wrapped_network import (
    OUTPUT,
    Arrays,
    WrappedLayers,
    WrappedNetwork,
    is_activation,
)
from jaxdream.types import AnyArray, Size

# What a network may call its argument for training, and what that is otherwise.
_EVALUATION = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "use_running_average": True,
}


class _Source(NamedTuple):
    """A network as a function."""

    compute: Callable[[Any, Array], Mapping[str, Array]]  # of its variables and pictures
    variables: Any  # a pytree
    name: str
    in_order: bool  # whether the layers are given in their order


def wrap(
    network: Any,
    *,
    pixels: Preprocessing | None = None,
    layers: str | Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    variables: Any = None,
    default_layer: str | None = None,
    name: str | None = None,
) -> Network:
    """A network of your own, to be used wherever one of ``load_model`` is.

    Layers are maps (n, h, w, c), tokens (n, t, c) or vectors (n, c); channels are the last axis.
    Their names and shapes are found out by tracing the network, without computing anything
    (``model.layers()``). ``data`` is the picture itself. Since nothing else is known, each size of
    a picture has its own program, and pictures are not computed in tiles.

    Args:
        network: one of

            - a Flax NNX module. Its layers are the outputs of all its submodules, by their
              attributes: ``blocks/0/conv1``; ``conv1.2`` is the second call of ``conv1``. Outputs
              of other public methods, and what is given to ``self.sow(nnx.Intermediate, name,
              x)``, are layers too.
            - a Linen module, with ``variables``: the same, of its submodules and of ``sow``.
            - a function ``f(x)``, or ``f(variables, x)`` if there are some, that gives
              ``{name: array}``, or one array: anything else, such as Equinox. It may also be any
              callable pytree.

            Modules are computed in evaluation mode: the attributes ``deterministic`` and
            ``use_running_average`` of NNX's, and the arguments ``train``, ``training``,
            ``is_training``, ``deterministic`` and ``use_running_average`` of the module's own
            ``__call__``, are set. The module itself is not changed. A module's own output is the
            layer ``output``, and ``logits`` as well where that is a vector. Of an output that is a
            tuple or a dictionary, each part is a layer: ``output/0``, ``output/features``.
        pixels: what its input is; by default RGB from 0 to 1.
        layers: the names of the layers to have, in this order, or of one; by default all.
        size: height and width, or the side, of its pictures, if it takes only one size, as many
            vision transformers do.
        variables: a pytree: those of a Linen module, or the first argument of a function. In
            contrast to arrays that a function closes over, they are arguments of compiled
            programs, can be cast by ``with_precision``, and ``jax.grad`` gives gradients of them.
        default_layer: by default the last with more than one position.
        name: in recipes and messages; by default that of its class or function.

    Raises:
        JaxdreamError: it fails on a picture (says how), gives what are no layers, or has no such
            layer; or ``pixels`` or ``size`` is something else.

    Warns:
        JaxdreamWarning: an NNX module is in training mode.
    """
    if not callable(network):
        raise JaxdreamError(
            f"an object of type {type(network).__name__} cannot be wrapped, since it cannot be "
            "called: give a Flax module or a function f(x) that gives {name: array}"
        )
    if isinstance(network, Network):
        raise JaxdreamError(f"{network.name} is one of jaxdream's networks: use it as it is")
    if isinstance(network, type):
        raise JaxdreamError(f"{network.__name__} is a class: make a module of it, and wrap that")
    if pixels is not None and not isinstance(pixels, Preprocessing):
        raise JaxdreamError(
            "pixels is a Preprocessing, such as Preprocessing.of_unit_pixels(mean, std), and not "
            f"{printable(repr(pixels))}"
        )
    shape = None if size is None else _size_of(size)
    layers = [layers] if isinstance(layers, str) else layers
    if isinstance(network, nnx.Module):
        source = _of_nnx(network, variables)
    elif isinstance(network, linen.Module):
        source = _of_linen(network, variables)
    else:
        source = _of_function(network, variables, layers)
    arrays, restore = _split(source.variables)
    table = WrappedLayers(
        lambda arrays, x: source.compute(restore(arrays), x),
        arrays,
        size=shape,
        layers=layers,
        in_order=source.in_order,
    )
    numbers = [
        array
        for array in (*arrays, *table.constants)
        if not jnp.issubdtype(array.dtype, jax.dtypes.extended)  # a random key is no weight
    ]
    return WrappedNetwork(
        arrays,
        table,
        name=name or source.name,
        preprocessing=pixels or Preprocessing.of_unit_pixels(),
        default_layer=table.resolve(default_layer or table.default_layer),
        weights_sha256=weights_sha256({f"{i:06}": np.asarray(a) for i, a in enumerate(numbers)}),
    )


def _size_of(size: Any) -> Size:
    """Height and width.

    Raises:
        JaxdreamError: they are no sides of a picture.
    """
    sides = (size, size) if isinstance(size, int | np.integer) else size
    known = isinstance(sides, Sequence) and len(sides) == 2
    if not known or not all(isinstance(side, int | np.integer) and side > 0 for side in sides):
        raise JaxdreamError(
            f"size is a side or (height, width) in pixels, and not {printable(repr(size))}"
        )
    return int(sides[0]), int(sides[1])


def _split(tree: Any) -> tuple[Arrays, Callable[[Arrays], Any]]:
    """The arrays of a pytree, and what puts them, or others, back into it."""
    leaves, structure = jax.tree.flatten(tree)
    is_array = [isinstance(leaf, AnyArray) for leaf in leaves]
    arrays = tuple(jnp.asarray(leaf) for leaf, yes in zip(leaves, is_array, strict=True) if yes)
    others = [None if yes else leaf for leaf, yes in zip(leaves, is_array, strict=True)]

    def restore(arrays: Arrays) -> Any:
        rest = iter(arrays)
        pairs = zip(others, is_array, strict=True)
        return jax.tree.unflatten(structure, [next(rest) if yes else leaf for leaf, yes in pairs])

    return arrays, restore


def _of_nnx(module: nnx.Module, variables: Any) -> _Source:
    name = type(module).__name__
    if variables is not None:
        raise JaxdreamError(f"{name} is an NNX module, which has its arrays: leave out variables")
    modes = {"deterministic": True, "use_running_average": True}
    if any(
        getattr(part, mode, value) is False
        for _, part in nnx.iter_modules(module)
        for mode, value in modes.items()
    ):
        line = f"{name} is in training mode: here it is computed in evaluation mode ({name}.eval())"
        warnings.warn(line, JaxdreamWarning, stacklevel=3)
    evaluated = nnx.with_attributes(module, raise_if_not_found=False, **modes)
    # What changes when it is called, and is no weight.
    passing = nnx.Any(nnx.RngState, nnx.Intermediate)
    definition, rest, state = nnx.split(evaluated, passing, ...)
    options = _evaluation_options(module)

    def compute(state: Any, x: Array) -> dict[str, Array]:
        outputs = module_outputs(nnx.merge(definition, rest, state), x, **options)
        return _layers_of(outputs, len(x))

    return _Source(compute, state, name, in_order=False)


def _of_linen(module: linen.Module, variables: Any) -> _Source:
    name = type(module).__name__
    if variables is None:
        raise JaxdreamError(
            f"{name} is a Linen module: give its arrays as well, wrap(module, variables=...), as "
            "init gave them"
        )
    if isinstance(variables, Mapping) and variables and "params" not in variables:
        raise JaxdreamError(
            f"variables of {name} are what init gave, {{'params': ...}}, and not {list(variables)}"
        )
    options = _evaluation_options(module)

    def compute(variables: Any, x: Array) -> dict[str, Array]:
        apply = partial(module.apply, capture_intermediates=True, mutable=["intermediates"])
        _, state = apply(variables, x, **options)
        found = traverse_util.flatten_dict(dict(state["intermediates"]))
        return _layers_of(found.items(), len(x))

    return _Source(compute, variables, name, in_order=False)


def _of_function(function: Any, variables: Any, layers: Sequence[str] | None) -> _Source:
    name = getattr(function, "__name__", type(function).__name__)
    single = layers[0] if layers is not None and len(layers) == 1 else OUTPUT

    def compute(tree: Any, x: Array) -> dict[str, Array]:
        function, variables = tree
        result = function(x) if variables is None else function(variables, x)
        found = result if isinstance(result, Mapping) else {single: result}
        for key, value in found.items():
            if not isinstance(key, str) or not isinstance(value, jax.Array):
                raise JaxdreamError(
                    f"{name} gives a {type(value).__name__} for the layer {key!r}: it has to give "
                    "{name: array} with the activations of each layer"
                )
        return dict(found)

    return _Source(compute, (function, variables), name.strip("<>"), in_order=True)


def _evaluation_options(module: Callable[..., Any]) -> dict[str, Any]:
    """The arguments that call a module in evaluation mode."""
    parameters = inspect.signature(module).parameters
    return {name: value for name, value in _EVALUATION.items() if name in parameters}


def _layers_of(captured: Iterable[tuple[tuple[Any, ...], Any]], batch: int) -> dict[str, Array]:
    """What Flax captured by the path of a module and the name of its method, as layers."""
    found: dict[str, Array] = {}
    own: dict[str, Array] = {}
    for path, value in captured:
        *scopes, method = map(str, path)
        name = "/".join(scopes if method == "__call__" else (*scopes, method))
        outputs = value if isinstance(value, tuple) else (value,)
        for number, output in enumerate(outputs, start=1):
            key = (name or OUTPUT) if number == 1 else f"{name or OUTPUT}.{number}"
            for keys, part in jax.tree_util.tree_leaves_with_path(output):
                if is_activation(part, batch):
                    inside = jax.tree_util.keystr(keys, simple=True, separator="/")
                    (found if name else own)[f"{key}/{inside}" if inside else key] = part
    # The whole comes last; a submodule may be called "output" as well.
    return found | {name: output for name, output in own.items() if name not in found}
