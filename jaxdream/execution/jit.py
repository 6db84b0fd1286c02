"""``jax.jit`` with the options of XLA that were measured to make a network's programs faster."""

from collections.abc import Callable
from functools import cache, cached_property, partial, update_wrapper

import jax
from jax.core import Tracer

# In jaxlib 0.10 YNNPACK runs convolutions on CPU slower than Eigen, by 1.1 to 8 times according to
# the shape, but matrix products faster: keep it to these.
_CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}


@cache
def compiler_options() -> dict[str, str] | None:
    """Options for the platform that JAX runs on; None where its compiler has none of ours."""
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda: 0.0, compiler_options=_CPU_OPTIONS).lower().compile()
    except jax.errors.JaxRuntimeError:  # another jaxlib, that no longer knows them
        return None
    return _CPU_OPTIONS


class Program:
    """A compiled function. As a part of another one's program it is compiled with that."""

    def __init__(self, function: Callable, **settings) -> None:
        self._function = function
        self._settings = settings
        self._part = jax.jit(function, **settings)
        update_wrapper(self, function)

    @cached_property
    def _whole(self):
        return jax.jit(self._function, compiler_options=compiler_options(), **self._settings)

    def __call__(self, *arguments, **options):
        # JAX takes compiler options for whole programs only.
        leaves = jax.tree.leaves((arguments, options))
        traced = any(isinstance(leaf, Tracer) for leaf in leaves)
        return (self._part if traced else self._whole)(*arguments, **options)

    def lower(self, *arguments, **options) -> jax.stages.Lowered:
        """The program for arguments of these shapes, traced but not compiled."""
        return self._whole.lower(*arguments, **options)

    def cache_size(self) -> int:
        """How many programs have been traced."""
        return self._whole._cache_size()  # type: ignore[attr-defined]


def program(**settings) -> Callable[[Callable], Program]:
    """Decorator that makes a ``Program``; ``settings`` are those of ``jax.jit``."""
    return partial(Program, **settings)


def steps_per_call(scan: bool | None, steps: int) -> int:
    """How many of these steps one call of a compiled program takes: all of them, or one.

    Args:
        scan: whether the steps are one compiled loop (right on GPU and TPU); None is by platform.
            A convolution inside a loop takes a slow path on XLA's CPU backend (jax issue 12868).
    """
    return steps if scan or (scan is None and jax.default_backend() != "cpu") else 1
