"""``scripts/compile_for.py`` as it is run."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

from compilation.main import main
from compilation.results import Found, Row, read_rows
from jaxdream import JaxdreamError

WITHOUT = """
import importlib.util, runpy, sys
find = importlib.util.find_spec
compilers = "libtpu", "jax_cuda12_plugin"
importlib.util.find_spec = lambda name: None if name in compilers else find(name)
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
FOUND = Found(1, 2.5, (576, 1024), 1, 10**9, 100, 2 * 10**9, 3 * 10**9, {"all-reduce": 2}, 10**6)


@pytest.mark.parametrize(("target", "package"), [("v5e", "jax[tpu]"), ("t4", "jax[cuda12]")])
def test_a_missing_compiler_is_a_line_that_says_what_to_install(target, package):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(ROOT / "scripts" / "compile_for.py"), target],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "scripts")))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"compile_for: {target} needs ")
    assert f"pip install '{package}'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def compiled(monkeypatch):
    """The cases that were compiled, in a script that finds the same of all except float16."""
    cases = []

    def measure(target, *case):
        cases.append((target.name, *case))
        if "float16" in case:
            return Row(target.name, *case, "a compiler 1", error="XlaRuntimeError: a | b")
        return Row(target.name, *case, "a compiler 1", FOUND)

    monkeypatch.setattr("compilation.targets.Target.missing", lambda _: None)
    monkeypatch.setattr("compilation.main.ENVIRONMENT", {})
    monkeypatch.setattr("compilation.measure.measure", measure)
    return cases


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return ended.value.code


def test_tables_of_all_that_was_asked_for(compiled, tmp_path, capsys):
    chosen = ["--networks", "googlenet_mini", "--cases", "dream", "rows-4"]
    out = ["--markdown", tmp_path / "out.md", "--json", tmp_path / "out.json"]
    assert run("v5e", "t4", *chosen, *out) == 0
    assert len(compiled) == 2 * 2 + 2 * 3  # no float16 on a TPU
    text = (tmp_path / "out.md").read_text()
    assert capsys.readouterr().out == text + "\n"
    assert "### TPU v5e, 16 GB (a compiler 1)" in text
    assert text.count("| 2.5 | 1000 MB | 6.2% | 100 | 2.00 GB |  | 3 | 2 all-reduce: 1.0 MB |") == 4
    assert text.count("| 2.5 | 1000 MB | 6.3% |") == 4  # of the T4's 15.8 GB
    assert text.count("does not compile: XlaRuntimeError: a / b") == 2
    assert [row.found for row in read_rows(tmp_path / "out.json") if row.found] == [FOUND] * 8


def test_what_the_file_has_is_not_compiled_again(compiled, tmp_path):
    chosen = ["--networks", "googlenet", "--cases", "dream", "--json", tmp_path / "out.json"]
    assert run("h100", *chosen, "--precisions", "float16") == 0
    assert run("h100", *chosen) == 0
    assert [precision for _, _, precision, _ in compiled] == ["float16", "float32", "bfloat16"]


def test_an_interrupted_run_shows_what_it_has(compiled, tmp_path, monkeypatch, capsys):
    chosen = ["--networks", "googlenet", "--cases", "dream", "--json", tmp_path / "out.json"]

    def interrupt(*_):
        raise KeyboardInterrupt

    run("a100", *chosen, "--precisions", "bfloat16")
    monkeypatch.setattr("compilation.measure.measure", interrupt)
    assert run("a100", *chosen) == 130
    assert "googlenet, bfloat16" in capsys.readouterr().out
    assert len(compiled) == 1


def test_another_file_is_not_overwritten(compiled, tmp_path, capsys):
    path = tmp_path / "other.json"
    path.write_text('{"steps": 1}')
    with pytest.raises(JaxdreamError, match="not written by compile_for"):
        read_rows(path)
    assert run("h100", "--json", path) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert path.read_text() == '{"steps": 1}'
    assert compiled == []
