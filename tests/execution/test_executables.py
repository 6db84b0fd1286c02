"""Executables that are kept: no tracing in a second process, and nothing foreign is loaded."""

import os
import pickle
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import compilations, photograph

import jaxdream as jd
from jaxdream.algorithm.ascent import take_step
from jaxdream.execution import compile_cache, executables, octave
from jaxdream.execution.jit import lower, program
from jaxdream.objectives import custom


@pytest.fixture
def folder(tmp_path, jax_cache):
    """The executables of a cache that is in use."""
    del jax_cache
    jax.clear_caches()  # a program that this process has already is not kept
    assert compile_cache.use(tmp_path / "compiled") is None
    return tmp_path / "compiled" / executables.FOLDER


@pytest.fixture
def traced(monkeypatch):
    """The programs that were traced and lowered."""
    names = []
    lower = executables.lower
    monkeypatch.setattr(
        executables, "lower", lambda call: (names.append(call.func.__name__), lower(call))[1]
    )
    return names


def executables_in(folder):
    return list(folder.glob("*.executable"))


def dream(model, **options):
    return jd.dream(0, model, photograph(40, 48), **{"octaves": 1, "steps": 2} | options)


def test_a_kept_executable_is_neither_traced_nor_compiled_again(tiny, folder, traced):
    first = dream(tiny)
    (kept,) = executables_in(folder)
    assert traced == ["_run_steps"]
    assert kept.stat().st_mode & 0o077 == 0
    jax.clear_caches()
    with compilations() as names:
        again = dream(tiny)
    assert traced == ["_run_steps"]
    assert "jit(_run_steps)" not in names
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam"}, {"scan": True}, {"objective": "first"}, {"clip": False},
        {"precision": "bfloat16"}, {"mask": np.ones((40, 48))}, {"image": photograph(90, 48)},
    ],
)  # fmt: skip
def test_what_makes_another_program_has_another_executable(tiny, folder, traced, options):
    dream(tiny)
    image = options.pop("image", photograph(40, 48))
    expected = {"octaves": 1, "steps": 2} | options
    got = jd.dream(0, tiny, image, **expected)
    assert len(executables_in(folder)) == 2
    assert traced == ["_run_steps"] * 2
    jax.config.update("jax_compilation_cache_dir", None)
    np.testing.assert_array_equal(got, jd.dream(0, tiny, image, **expected))


def test_what_jaxs_own_cache_gave_is_not_kept_once_more(tiny, folder, traced):
    # However fast this machine compiles.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    first = dream(tiny)
    (kept,) = executables_in(folder)
    kept.unlink()
    for _ in range(2):
        jax.clear_caches()
        np.testing.assert_array_equal(dream(tiny), first)
    assert traced == ["_run_steps"] * 3
    assert executables_in(folder) == []


def test_after_an_update_the_same_program_is_traced_once_more(tiny, folder, traced, monkeypatch):
    first = dream(tiny)
    monkeypatch.setattr(executables, "_sources", lambda: "other sources")
    for _ in range(2):
        jax.clear_caches()
        with compilations() as names:
            np.testing.assert_array_equal(dream(tiny), first)
        assert "jit(_run_steps)" not in names
    assert traced == ["_run_steps"] * 2
    assert len(executables_in(folder)) == 1


def test_after_an_update_another_program_is_compiled(tiny, folder, traced, monkeypatch):
    before = dream(tiny)

    def half_a_step(state, *given, **options):
        after, info = take_step(state, *given, **options)
        return after._replace(image=(state.image + after.image) / 2), info

    monkeypatch.setattr(executables, "_sources", lambda: "other sources")
    monkeypatch.setattr(octave, "take_step", half_a_step)
    jax.clear_caches()
    assert np.abs(dream(tiny) - before).max() > 0.1
    assert traced == ["_run_steps"] * 2
    assert len(executables_in(folder)) == 2


@pytest.mark.usefixtures("folder")
def test_what_is_only_another_number_has_the_same_executable(tiny, traced):
    for options in ({}, {"step_size": 3.0}, {"objective": "2*second"}, {"objective": "3*second"}):
        dream(tiny, **options)
    assert len(traced) == 2


@pytest.mark.usefixtures("folder")
def test_a_setting_of_jax_makes_another_executable(tiny, traced):
    dream(tiny)
    before = jax.config.jax_default_matmul_precision
    try:
        jax.config.update("jax_default_matmul_precision", "bfloat16")
        dream(tiny)
    finally:
        jax.config.update("jax_default_matmul_precision", before)
    assert len(traced) == 2


def test_an_objective_in_the_users_code_is_not_kept(tiny, folder, traced):
    """Nobody can tell from outside whether a function is still the same."""

    @custom("second")
    def mean(x):
        return x.mean()

    dream(tiny, objective=mean)
    assert traced == ["_run_steps"]
    assert list(folder.iterdir()) == []


@dataclass(frozen=True)
class Steps:
    """An optimiser whose text is always the same."""

    size: float = field(repr=False)

    def init(self, params):
        del params
        return optax.EmptyState()

    def update(self, updates, state, params=None):
        del params
        return jax.tree.map(lambda update: -self.size * update, updates), state


def test_an_optimiser_in_the_users_code_is_not_kept(tiny, folder, traced):
    one, other = Steps(0.1), Steps(10.0)
    assert repr(one.update) == repr(other.update)  # no address tells them apart
    dreams = [
        dream(tiny, optimizer=optax.GradientTransformation(each.init, each.update))
        for each in (one, other)
    ]
    assert np.abs(dreams[0] - dreams[1]).max() > 0.01
    assert traced == ["_run_steps"] * 2
    assert list(folder.iterdir()) == []


def test_a_function_whose_text_is_the_same_is_not_kept(tiny, folder):
    class Mean:
        def __init__(self, sign):
            self.sign = sign

        def __repr__(self):
            return "Mean()"

        def __call__(self, x):
            return self.sign * x.mean()

    up, down = (dream(tiny, objective=custom("second")(Mean(sign))) for sign in (1, -1))
    assert np.abs(up - down).max() > 1
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_a_default_device_by_its_platform(tiny):
    with jax.default_device("cpu"):
        assert np.isfinite(dream(tiny)).all()


class Evil:
    def __reduce__(self):
        return Path.touch, (Path(os.environ["EVIL"]),)


@pytest.mark.parametrize("kind", ["cut", "flipped", "empty", "foreign", "pickle", "folder"])
def test_a_damaged_or_foreign_file_is_compiled_again(
    tiny, folder, traced, kind, tmp_path, monkeypatch
):
    expected = dream(tiny)
    (kept,) = executables_in(folder)
    content = kept.read_bytes()
    monkeypatch.setenv("EVIL", str(tmp_path / "evil"))
    if kind == "foreign":
        kept.chmod(0o666)
    elif kind == "folder":
        kept.unlink()
        kept.mkdir()
    else:
        evil = content[:32] + pickle.dumps(Evil())
        changed = content[:100] + bytes([content[100] ^ 1]) + content[101:]
        kept.write_bytes(
            {"cut": content[:-1], "flipped": changed, "empty": b"", "pickle": evil}[kind]
        )
    jax.clear_caches()
    np.testing.assert_array_equal(dream(tiny), expected)
    assert len(traced) == 2
    assert not (tmp_path / "evil").exists()


def test_another_programs_file_under_this_name_is_not_loaded(tiny, folder, traced):
    expected = dream(tiny)
    (kept,) = executables_in(folder)
    dream(tiny, clip=False)
    (other,) = set(executables_in(folder)) - {kept}
    kept.write_bytes(other.read_bytes())
    np.testing.assert_array_equal(dream(tiny), expected)
    assert len(traced) == 3


def test_programs_that_read_another_argument_have_other_executables():
    def reading(index):
        @program()
        def read(*arguments):
            return arguments[index] + 1

        return partial(read, jnp.zeros(3), jnp.ones(3))

    calls = [reading(0), reading(1)]
    assert len({lower(call).as_text() for call in calls}) == 1
    first, second = (executables._program_key(lower(call), call) for call in calls)
    assert first is not None
    assert first != second


@pytest.mark.parametrize("kind", ["cut", "empty", "foreign", "of nothing", "of another"])
def test_a_damaged_or_foreign_file_of_a_call_is_not_used(tiny, folder, traced, kind):
    dream(tiny, clip=False)
    (other,) = folder.glob("*.call")
    expected = dream(tiny)
    (known,) = set(folder.glob("*.call")) - {other}
    content = known.read_bytes()
    if kind == "foreign":
        known.chmod(0o666)
    else:
        known.write_bytes(
            {"cut": content[:-1], "empty": b"", "of nothing": content[:-1] + b"\0",
             "of another": other.read_bytes()}[kind]
        )  # fmt: skip
    jax.clear_caches()
    np.testing.assert_array_equal(dream(tiny), expected)
    assert len(traced) == 3


def test_a_folder_that_others_can_write_is_not_used(tiny, folder, traced):
    folder.chmod(0o777)
    dream(tiny)
    assert list(folder.iterdir()) == []
    assert traced == ["_run_steps"]


def test_the_oldest_executables_make_room(tiny, folder, monkeypatch):
    monkeypatch.setattr(executables, "_MOST_BYTES", 1)
    dream(tiny)
    (first,) = executables_in(folder)
    os.utime(first, (0, 0))
    dream(tiny, clip=False)
    (second,) = executables_in(folder)
    assert first != second


def test_nothing_is_kept_where_nobody_asked_for_it(tiny, tmp_path):
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    try:
        dream(tiny)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert not (tmp_path / executables.FOLDER).exists()
