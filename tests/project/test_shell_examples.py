"""Every line of shell on the documentation's pages can be given, as far as that is jaxdream's."""

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache

import pytest
import yaml
from documentation import LANGUAGES, NAMES, PAGES, blocks, fenced, inline_code, prose, read
from helpers import ROOT

from jaxdream.cli.commands import build_parser
from jaxdream.errors import JaxdreamError
from jaxdream.models.googlenet import googlenet

SEPARATORS = ("&&", "||", "|", ";", "&", "(", ")")
# Programs of others, whose arguments are theirs; what they start on other machines is looked at.
OTHERS = (
    "gcloud", "head", "hf", "lint-imports", "mkdocs", "pip", "podman", "pre-commit",
    "pyright", "pytest", "ray", "ruff", "scontrol", "srun", "ssh",
)  # fmt: skip


parser = cache(build_parser)


def subcommands():
    (choices,) = (a.choices for a in parser()._actions if isinstance(a.choices, dict))
    return choices


def shell(text):
    """A page's lines of shell; in a block of `console` they begin with `$`."""
    for code in blocks(text, "sh"):
        yield from (line.lstrip("!") for line in joined(code))
    for code in blocks(text, "console"):
        yield from (line[2:] for line in joined(code) if line.startswith("$ "))
    for code in blocks(text, "yaml"):
        yield yaml.safe_load(code)["spec"]["entrypoint"]


def joined(code):
    return code.replace("\\\n", " ").splitlines()


def simple_commands(line):
    """The words of each command in a line of shell, also of those in quotes for another machine."""
    words = shlex.shlex(line, posix=True, punctuation_chars="();&|")
    words.whitespace_split = True
    command = []
    for word in [*words, ";"]:
        if word not in SEPARATORS:
            command.append(word)
            continue
        while command and re.match(r"\w+=", command[0]):  # a variable
            del command[0]
        if command:
            yield command
            if command[0] in OTHERS:
                yield from sent(command)
        command = []


def sent(command):
    """The commands of ours that another program is told to run."""
    if "jaxdream" in command:
        yield command[command.index("jaxdream") :]
    for word in command:
        if re.match(r"(jaxdream|ray|pip) ", word):
            yield from simple_commands(word)


def check_line(line, capsys):
    """Make sure that a line can be given: to jaxdream, a script, or a program that is known."""
    for program, *words in simple_commands(line):
        if program == "jaxdream":
            check_jaxdream(words, capsys)
        elif program in ("python", "python3"):
            check_python(words)
        else:
            assert program in OTHERS, f"{program}: a program that the tests do not know"


def check_jaxdream(words, capsys):
    """Make sure that jaxdream takes these words, and that the layers in them exist."""
    try:
        options = parser().parse_args(words)
    except SystemExit as stopped:
        if stopped.code:
            pytest.fail(f"jaxdream {shlex.join(words)}: {capsys.readouterr().err}")
        return  # --help or --version
    if ":" in (getattr(options, "model", None) or ""):  # a network of the reader's
        return
    layers = [getattr(options, "layer", None), *(getattr(options, "layers", None) or [])]
    for layer in filter(None, layers):
        googlenet().resolve(layer)


def check_python(words):
    """Make sure that a script is there and knows the options, or that a module can be imported."""
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]) is not None, words[1]
        return
    if words[0] == "-c":
        compile(words[1], "python -c", "exec")
        return
    script = ROOT / words[0]
    assert script.is_file(), words[0]
    source = script.read_text("utf-8")
    for package in re.findall(r"^from (\w+)\.", source, flags=re.MULTILINE):
        source += "".join(p.read_text("utf-8") for p in script.parent.glob(f"{package}/*.py"))
    for word in words[1:]:
        assert not word.startswith("--") or f'"{word}"' in source, f"{words[0]} has no {word}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_block_is_of_a_language_that_is_tested(page):
    text = read(page)
    assert {language for language, _ in fenced(text)} <= set(LANGUAGES)
    assert not re.search(r"^(\t| {4,})\S|<pre|<code", prose(text), flags=re.MULTILINE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no bash of its own")
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_blocks_are_shell(page):
    code = "\n".join(shell(read(page)))
    done = subprocess.run(
        ["bash", "-n"], input=code, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_can_be_given(page, capsys):
    for line in shell(read(page)):
        check_line(line, capsys)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_in_the_text_can_be_given(page, capsys):
    for code in inline_code(read(page)):
        if not re.match(r"(jaxdream|python3?|pip|ray|ssh|mkdocs|[A-Z_]+=\S+ \w+) ", code):
            continue
        if re.fullmatch(r"jaxdream \w+|jaxdream weights \w+", code):  # its name alone
            assert code.split()[1] in subcommands(), code
            continue
        if page.name != "CHANGELOG.md" and " ... " not in code:
            check_line(code, capsys)


def test_there_are_commands():
    lines = [line for page in PAGES for line in shell(read(page))]
    commands = [command for line in lines for command in simple_commands(line)]
    assert sum(command[0] == "jaxdream" for command in commands) > 100
    assert sum(command[0] == "python" for command in commands) > 5


def test_the_examples_of_help_can_be_given(capsys):
    examples = "\n".join(p.epilog or "" for p in subcommands().values())
    lines = [line for line in examples.splitlines() if "jaxdream" in line]
    assert len(lines) > 10
    for line in lines:
        check_line(line, capsys)


@pytest.mark.parametrize(
    "line",
    [
        "jaxdream dreem sky.jpg",
        "jaxdream dream sky.jpg --octave 5x",
        "jaxdream dream sky.jpg --layer 9z",
        "true && jaxdream web --no-such-option",
        "CUDA_VISIBLE_DEVICES=0 jaxdream batch photos",
        'ray exec cluster.yaml "jaxdream batch photos --outputs dreams"',
        "python scripts/gone.py",
        "python scripts/bench.py --fast",
        "python -m no_such_module",
        "nosuchprogram --help",
    ],
)
def test_a_wrong_line_is_found(line, capsys):
    with pytest.raises((AssertionError, pytest.fail.Exception, JaxdreamError)):
        check_line(line, capsys)


@pytest.mark.parametrize("text", ["```\nx\n```\n", "```bash\nx\n```\n", "~~~sh\nx\n~~~\n"])
def test_a_block_of_another_kind_is_found(text):
    assert not {language for language, _ in fenced(text)} <= set(LANGUAGES)
