"""``jax.jit`` with the options of XLA that were measured to make a network's programs faster."""

from collections.abc import Callable
from functools import cache, cached_property, partial, update_wrapper

import jax
from jax.core import Tracer

# In jaxlib 0.10 YNNPACK runs convolutions on CPU slower than Eigen, by 1.1 to 8 times according to
# the shape, but matrix products faster: use it for these only.
_CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}


@cache
def compiler_options() -> dict[str, str] | None:
    """Options for the platform that JAX runs on; None where its compiler has none of ours."""
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda: 0.0, compiler_options=_CPU_OPTIONS).lower().compile()
    except jax.errors.JaxRuntimeError:  # another jaxlib, which does not know them any more
        return None
    return _CPU_OPTIONS


class Program:
    """A function that is compiled with our options; under a trace it is inlined into the caller."""

    def __init__(self, function: Callable, **settings) -> None:
        self.settings = settings  # of ``jax.jit``
        self._function = function
        self._inlined = jax.jit(function, **settings)
        update_wrapper(self, function)

    @cached_property
    def _compiled(self):
        return jax.jit(self._function, compiler_options=compiler_options(), **self.settings)

    def __call__(self, *arguments, **options):
        # JAX takes compiler options for whole programs only.
        leaves = jax.tree.leaves((arguments, options))
        traced = any(isinstance(leaf, Tracer) for leaf in leaves)
        return (self._inlined if traced else self._compiled)(*arguments, **options)

    def trace(self, *arguments, **options) -> jax.stages.Traced:
        """The program for arguments of these shapes, for any platform; without our options."""
        return self._inlined.trace(*arguments, **options)

    def lower(self, *arguments, **options) -> jax.stages.Lowered:
        """The program for arguments of these shapes, traced but not compiled."""
        return self._compiled.lower(*arguments, **options)


def program(**settings) -> Callable[[Callable], Program]:
    """Decorator that makes a ``Program``; ``settings`` are those of ``jax.jit``."""
    return partial(Program, **settings)


def lower(call: partial) -> jax.stages.Lowered:
    """The program that a call of a ``Program`` with these arguments runs."""
    return call.func.lower(*call.args, **call.keywords)  # pyright: ignore[reportFunctionMemberAccess]


def steps_per_call(scan: bool | None, steps: int, *, traced: bool = False) -> int:
    """How many steps a call of a program makes: all as one compiled loop, or one.

    On CPU a convolution inside a compiled loop takes a slow path of XLA's (jax issue 12868), so a
    step is the program there. Under a trace a loop keeps the caller's program small.

    Args:
        scan: the setting; None for the best.
        traced: whether the steps become part of a program of the caller's.
    """
    if scan is None:
        scan = traced or jax.default_backend() != "cpu"
    return steps if scan else 1
