"""Completion in shells: bash's is tried in bash."""

import shutil
import subprocess

import pytest


@pytest.fixture
def completions(cli, tmp_path):
    """What bash offers after a command line whose last word is unfinished."""
    script = tmp_path / "jaxdream.bash"
    script.write_text(cli("completion", "bash").stdout)

    def complete(line):
        words = line.split(" ")
        code = f"""
            source {script}
            COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}
            _shtab_jaxdream jaxdream '{words[-1]}' '{words[-2]}'
            echo "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    return complete


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_choices_and_files(completions, tmp_path):
    (tmp_path / "sky.jpg").touch()
    assert completions("jaxdream vis") == ["visualize"]
    assert completions("jaxdream dream --octave-") == ["--octave-scale"]
    assert completions("jaxdream dream --preview-every s") == ["step"]
    assert completions("jaxdream dream sk") == ["sky.jpg"]
    assert completions("jaxdream weights ver") == ["verify"]


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_other_shells_have_every_command(cli, shell):
    script = cli("completion", shell).stdout
    for command in ("dream", "batch", "visualize", "web", "completion"):
        assert command in script
