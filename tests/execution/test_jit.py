import jax
import jax.numpy as jnp
import pytest

from jaxdream.execution import jit
from jaxdream.execution.jit import compiler_options, program, steps_per_call


@pytest.fixture(autouse=True)
def fresh():
    compiler_options.cache_clear()
    yield
    compiler_options.cache_clear()


def energy_program():
    @program(static_argnames="power")
    def energy(x, *, power):
        return (x**power).sum()

    return energy


def test_whole_or_part_of_another_program():
    energy = energy_program()
    x = jnp.arange(3.0)
    assert float(energy(x, power=2)) == 5
    assert float(energy(x + 1, power=2)) == 14
    assert jax.grad(energy)(x, power=2).tolist() == [0, 2, 4]
    assert float(jax.jit(lambda x: energy(x, power=3))(x)) == 9
    assert jax.vmap(lambda x: energy(x, power=2))(x).tolist() == [0, 1, 4]
    assert float(jax.lax.scan(lambda s, x: (s + energy(x, power=2), None), 0.0, x)[0]) == 5


def test_a_program_compiled_before_its_turn():
    energy = energy_program()
    compiled = energy.lower(jax.ShapeDtypeStruct((3,), jnp.float32), power=2).compile()
    assert float(compiled(jnp.arange(3.0))) == 5


@pytest.mark.parametrize(
    ("scan", "traced", "steps"),
    [(None, False, 1), (None, True, 7), (True, False, 7), (False, False, 1), (False, True, 1)],
)
def test_how_many_steps_a_call_makes_on_cpu(scan, traced, steps):
    assert steps_per_call(scan, 7, traced=traced) == steps


def test_a_compiler_that_does_not_know_the_options(monkeypatch):
    monkeypatch.setattr(jit, "_CPU_OPTIONS", {"xla_cpu_of_another_day": "1"})
    assert compiler_options() is None
    assert float(energy_program()(jnp.arange(3.0), power=2)) == 5
