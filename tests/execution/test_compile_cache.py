"""Compiled programs that are kept: damaged ones are removed before JAX reads them."""

import json
import zlib

import jax
import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.execution import compile_cache, executables
from jaxdream.execution.compile_cache import keep_programs


@pytest.fixture
def folder(tmp_path, jax_cache):
    """A folder with two entries that are in the list."""
    del jax_cache
    folder = tmp_path / "compiled"
    assert compile_cache.use(folder) is None
    for name in "ab":
        (folder / f"{name}-cache").write_bytes(zlib.compress(name.encode() * 100))
    compile_cache.record()
    return folder


def entries(folder):
    return {path.name for path in folder.glob("*-cache")}


def test_whole_entries_are_kept_and_nothing_is_said(folder):
    assert compile_cache.use(folder) is None
    assert entries(folder) == {"a-cache", "b-cache"}
    assert str(folder) == jax.config.jax_compilation_cache_dir
    assert set(json.loads((folder / "programs.json").read_bytes())) == {"a-cache", "b-cache"}


@pytest.mark.parametrize("kind", ["cut", "empty", "flipped", "swapped"])
def test_damaged_entries_are_removed_and_said_once(folder, kind):
    a, b = folder / "a-cache", folder / "b-cache"
    content = a.read_bytes()
    if kind == "swapped":
        a.write_bytes(b.read_bytes())
        b.write_bytes(content)
    else:
        flipped = bytes([content[0], content[1] ^ 1]) + content[2:]
        a.write_bytes({"cut": content[:-3], "empty": b"", "flipped": flipped}[kind])
    count = "2 damaged programs" if kind == "swapped" else "1 damaged program"
    assert f"removed {count} from {folder}" in (compile_cache.use(folder) or "")
    assert entries(folder) == (set() if kind == "swapped" else {"b-cache"})
    assert compile_cache.use(folder) is None


def test_what_a_killed_run_left_is_kept_if_it_is_whole(folder):
    (folder / "c-cache").write_bytes(zlib.compress(b"c"))
    (folder / "d-cache").write_bytes(zlib.compress(b"d" * 100)[:-2])
    assert "1 damaged program" in (compile_cache.use(folder) or "")
    assert entries(folder) == {"a-cache", "b-cache", "c-cache"}


def test_damage_while_a_run_is_at_work_is_not_taken_for_good(folder):
    (folder / "a-cache").write_bytes(zlib.compress(b"another program"))
    compile_cache.record()
    assert "1 damaged program" in (compile_cache.use(folder) or "")
    assert entries(folder) == {"b-cache"}


def test_a_damaged_list_costs_nothing(folder):
    (folder / "programs.json").write_bytes(b"[" * 1000)
    assert compile_cache.use(folder) is None
    assert entries(folder) == {"a-cache", "b-cache"}


@pytest.mark.parametrize("kind", ["file", "loop", "long name"])
def test_a_folder_that_cannot_be_used_is_one_line(folder, tmp_path, kind):
    place = tmp_path / ("x" * 300 if kind == "long name" else kind)
    if kind == "file":
        place.touch()
    elif kind == "loop":
        place.symlink_to(place)
    assert "compiled programs are not kept: " in (compile_cache.use(place) or "")
    assert not jax.config.jax_enable_compilation_cache
    compile_cache.record()
    assert compile_cache.use(folder) is None
    assert jax.config.jax_enable_compilation_cache


def test_a_folder_is_named_in_python_too(tmp_path, folder):
    del folder  # which keeps JAX's settings
    assert keep_programs(tmp_path / "programs") == tmp_path / "programs"
    assert str(tmp_path / "programs") == jax.config.jax_compilation_cache_dir
    assert (tmp_path / "programs" / executables.FOLDER).stat().st_mode & 0o077 == 0
    (tmp_path / "file").touch()
    with pytest.raises(JaxdreamError, match=r"^[^ ]*file: cannot be a folder"):
        keep_programs(tmp_path / "file")
    assert str(tmp_path / "programs") == jax.config.jax_compilation_cache_dir


def test_the_folder_of_the_command_line_is_the_default(tmp_path, folder, monkeypatch):
    del folder
    monkeypatch.setenv("JAXDREAM_CACHE", str(tmp_path / "cache"))
    assert keep_programs() == tmp_path / "cache" / "compiled"
