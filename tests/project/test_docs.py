"""The documentation: what it shows runs, what it names exists, its tables are today's."""

import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import metadata

import jax
import numpy as np
import pytest
from helpers import ROOT

import jaxdream as jd
import make_reference
from jaxdream import objectives
from jaxdream.cli.commands import build_parser
from jaxdream.cli.exit_codes import MEANINGS
from jaxdream.models.googlenet import googlenet
from jaxdream.objectives.functions import FUNCTIONS
from jaxdream.settings import settings_table

README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("weights/*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
# Pages whose options are those of other programs as well.
OTHERS = ("docs/benchmarks.md", "docs/cluster.md", "weights/README.md", "CHANGELOG.md")


def blocks(text, *languages):
    """The code of a page's blocks in these languages."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [code for language, code in found if language in languages]


def inline_code(text):
    """What a page has between single backquotes, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))


def commands(text):
    """The arguments of every call of jaxdream in a page's blocks of shell."""
    for code in blocks(text, "sh", "console"):
        for line in code.replace("\\\n", " ").splitlines():
            yield from calls(line)


def calls(line):
    """The arguments of every call of jaxdream in a line of shell."""
    words = shlex.split(line, comments=True)
    for start, word in enumerate(words):
        if word.lstrip("!") == "jaxdream":
            end = words.index("&&", start) if "&&" in words[start:] else len(words)
            yield words[start + 1 : end]
        elif "jaxdream " in word:  # in quotes: for another machine
            yield from calls(word)


def subcommands(parser):
    (choices,) = (a.choices for a in parser._actions if isinstance(a.choices, dict))
    return choices


def check_command(words, capsys):
    """Make sure that a command can be given, and that the layers in it exist."""
    try:
        options = build_parser().parse_args(words)
    except SystemExit:
        pytest.fail(f"jaxdream {shlex.join(words)}: {capsys.readouterr().err}")
    layers = [getattr(options, "layer", None), *(getattr(options, "layers", None) or [])]
    for layer in filter(None, layers):
        googlenet().resolve(layer)


def test_the_readme_lists_every_exit_code():
    rows = [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    assert "\n".join(["| exit code | |", "|---|---|", *rows]) in README.read_text()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files_and_titles_that_exist(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        linked = (page.parent / target) if target else page
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert anchor in slugs, f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_modules_that_a_page_names_exist(page):
    if page.name == "CHANGELOG.md":  # which names those that are gone, too
        return
    for code in inline_code(page.read_text("utf-8")):
        if re.fullmatch(r"[\w./]+\.pyi?", code):
            places = (ROOT / code, ROOT / "jaxdream" / code, page.parent / code)
            assert any(place.exists() for place in places), code


def test_the_extras_that_are_installed_exist():
    """Of ``pip install 'jax[...]'`` and of the project's own, on every page and in the notebook."""
    text = "".join(page.read_text() for page in [*PAGES, *ROOT.glob("notebooks/*.ipynb")])
    for package, pattern in (("jax", r"\bjax\[(\w+)\]"), ("jaxdream", r"[ '\"]\.\[([\w,]+)\]")):
        named = {extra for group in re.findall(pattern, text) for extra in group.split(",")}
        assert named
        assert named <= set(metadata(package).get_all("Provides-Extra")), package


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_parse(page, capsys):
    for words in commands(page.read_text("utf-8")):
        check_command(words, capsys)


def test_there_are_commands_to_parse():
    assert len(list(commands(README.read_text("utf-8")))) > 20


def test_the_examples_of_help_parse(capsys):
    examples = "\n".join(p.epilog or "" for p in subcommands(build_parser()).values())
    found = [words for line in examples.splitlines() for words in calls(line)]
    assert len(found) > 10
    for words in found:
        check_command(words, capsys)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_and_options_in_the_text_exist(page):
    text = page.read_text("utf-8")
    parsers = subcommands(build_parser())
    known = {name for p in parsers.values() for a in p._actions for name in a.option_strings}
    known |= {"--forget", "--tables", "--version"}
    for code in inline_code(text):
        if (found := re.match(r"jaxdream (\w+)", code)) and page.name != "CHANGELOG.md":
            assert found[1] in parsers, code
        if NAMES[PAGES.index(page)] not in OTHERS and not code.startswith("python scripts/"):
            assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", code)) <= known, code


@pytest.mark.slow
def test_the_readmes_python_runs(tmp_path, monkeypatch):
    (code,) = blocks(README.read_text("utf-8"), "python")
    for there, here in {
        '"googlenet"': '"googlenet_mini"',
        "steps=20": "steps=2",
        "octaves=5": "octaves=1",
        # The process of the tests may hold more than the example allows.
        "memory=4 * 10**9": "memory=10**12",
    }.items():
        assert there in code
        code = code.replace(there, here)
    noise = np.random.default_rng(0).integers(0, 256, (48, 56, 3)).astype(np.float32)
    jd.write_image(tmp_path / "sky.jpg", noise)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert jd.read_image("out.png").shape == noise.shape
    assert names["state"].done == 1
    assert names["activations"]["3b"].shape == (1, 6, 7, 480)


@pytest.mark.parametrize(
    ("page", "tables"),
    [
        (
            "README.md",
            {
                "settings": (jd.DreamSettings, jd.SourceSettings, jd.Compute),
                "zoom settings": (jd.ZoomSettings,),
                "video settings": (jd.VideoSettings, jd.ClipSettings),
                "visualize settings": (jd.VisualizeSettings,),
            },
        ),
        ("docs/page.md", {"page settings": (jd.PageSettings,)}),
        (
            "docs/units.md",
            {"examples settings": (jd.ExamplesSettings,), "atlas settings": (jd.AtlasSettings,)},
        ),
    ],
)
def test_tables_of_settings_are_todays(page, tables):
    text = (ROOT / page).read_text("utf-8")
    assert text.count("| option | Python | default | |") == len(tables)
    for name, classes in tables.items():
        marked = f"<!-- {name} -->\n{settings_table(*classes)}\n<!-- /{name} -->"
        assert marked in text, "run `python scripts/make_reference.py --tables`"
    assert make_reference.with_tables(text) == text
    emptied = re.sub(r"(\| option \| Python .*\n\|---.*\n)(\|.*\n)+", r"\1", text)
    assert emptied != text == make_reference.with_tables(emptied)


def test_the_map_is_that_of_the_import_contract():
    (drawn, *_) = blocks(CONTRIBUTING.read_text("utf-8"), "text")
    names = [line.split()[0] for line in drawn.splitlines()]
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = pyproject["tool"]["importlinter"]["contracts"]
    # Those that stand beside each other in the contract may come in any order.
    for layer in contract["layers"]:
        beside = layer.split(" | ")
        assert sorted(names[: len(beside)]) == sorted(beside)
        del names[: len(beside)]
    assert names == []


def test_worked_examples_are_short_and_belong_into_files_that_exist():
    examples = blocks(CONTRIBUTING.read_text("utf-8"), "python")
    assert len(examples) == 4
    new = {"jaxdream/models/small.py", "jaxdream/cli/compare.py"}
    for example in examples:
        assert len(example.splitlines()) < 20
        for path in re.findall(r"^# (jaxdream/\S+\.py)", example, flags=re.MULTILINE):
            assert (ROOT / path).exists() != (path in new), path


def forms_of_objectives(text):
    """The texts of objectives on their page: in the table, and of means."""
    rows = re.findall(r"^\| `.*? \| (.*) \| .* \|$", text.split("\n## ")[0], flags=re.MULTILINE)
    means = re.findall(r"`([^`]*\bmean\))`", text)
    forms = [form for row in rows for form in re.findall(r"`([^`]+)`", row)]
    # A network without classes or tokens does not have these.
    return [form for form in [*forms, *means] if form not in ("banana", "neuron(L, 12, 7)")]


def test_the_texts_of_objectives_are_read(tmp_path, monkeypatch):
    forms = forms_of_objectives((ROOT / "docs" / "objectives.md").read_text("utf-8"))
    assert len(forms) > 35
    named = {re.match(r"(\w+)\(", form)[1] for form in forms if re.match(r"\w+\(", form)}
    assert named == set(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    model = jd.load_model("googlenet_mini")
    here = "conv1/7x7_s2"  # an early layer, quick to compile
    for name in ("flowers.jpg", "me.jpg", "art.jpg", "sky.png"):
        jd.write_image(name, np.random.default_rng(0).uniform(0, 255, (64, 64, 3)))
    np.save("v.npy", np.ones(model.graph.channels[here]))
    for form in forms:
        known = form.replace("googlenet_places365", "googlenet_mini")
        known = re.sub(r"\b(L|3a|4a|4b|4c|inception_4c/output)\b", here, known)
        objective = jd.parse_objective(re.sub(r"\bN\b", "3", known), model)
        assert objective.minimum_size(model.graph) >= 1


@pytest.mark.slow
@pytest.mark.optimised
def test_the_example_learns_the_shares_of_two_layers(monkeypatch):
    text = (ROOT / "docs" / "objectives.md").read_text("utf-8")
    (code,) = re.findall(r"<!-- run by tests.*?-->\n```python\n(.*?)```", text, flags=re.DOTALL)
    monkeypatch.chdir(ROOT)
    names = {}
    exec(compile(code, "docs/objectives.md", "exec"), names)
    np.testing.assert_allclose(jax.nn.softmax(names["logits"]), [0.2, 0.8], atol=0.04)


@pytest.fixture(scope="module")
def own_networks():
    """The examples of networks of one's own."""
    text = (ROOT / "docs" / "networks.md").read_text("utf-8")
    return re.findall(r"<!-- run by tests.*?-->\n```python\n(.*?)```", text, flags=re.DOTALL)


def run_example(code, folder, monkeypatch):
    """The names after an example was run in a folder in which the documentation's pictures are."""
    (folder / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(folder)
    names = {}
    exec(compile(code, "docs/networks.md", "exec"), names)
    return names


@pytest.mark.slow
@pytest.mark.optimised
def test_the_network_of_digits_knows_what_it_draws(own_networks, tmp_path, monkeypatch):
    names = run_example(own_networks[0], tmp_path, monkeypatch)
    assert names["right"].mean() > 0.85
    seen = np.asarray(names["net"](names["seen"] / 255))  # a row for each picture
    assert (seen.argmax(axis=0) == np.arange(10)).sum() >= 7
    assert (np.diag(seen) > seen.mean(axis=0)).all()
    assert jd.read_image("digits.png").shape[2] == 3


def test_the_transformer_sees_a_token_where_it_is(own_networks, tmp_path, monkeypatch):
    names = run_example(own_networks[1], tmp_path, monkeypatch)
    assert names["everywhere"].shape == names["one_token"].shape == (48, 48, 3)
    value = jd.objectives.neuron("blocks/1", 5, token=14).value
    model = names["model"]
    assert value(model, names["one_token"]) > value(model, names["everywhere"])


def test_the_equinox_network_dreams(own_networks, tmp_path, monkeypatch):
    names = run_example(own_networks[2], tmp_path, monkeypatch)
    assert names["out"].shape == (64, 96, 3)
    objective = jd.parse_objective("second + 0.5*first:3", names["model"])
    values = [objective.value(names["model"], names[name]) for name in ("image", "out")]
    assert values[1] > 1.2 * values[0]
    assert len(own_networks) == 3


@pytest.fixture(scope="module")
def research():
    """The examples of research."""
    text = (ROOT / "docs" / "research.md").read_text("utf-8")
    return re.findall(r"<!-- run by tests.*?-->\n```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.slow
@pytest.mark.optimised
def test_the_figure_of_a_paper_is_made(research, tmp_path, monkeypatch):
    names = run_example(research[0], tmp_path, monkeypatch)
    image, dreams, model = (names[name] for name in ("image", "dreams", "model"))
    for energy, dreamed in zip(names["energies"], dreams, strict=True):
        assert energy.value(model, dreamed) > 1.2 * energy.value(model, image)
    assert jd.read_image("figure.png").std() > 20


def test_an_objective_of_ones_own_grows(research, tmp_path, monkeypatch):
    names = run_example(research[1], tmp_path, monkeypatch)
    assert names["gradient"].shape == names["image"].shape
    assert names["contrast"].value(names["model"], names["out"]) > names["value"]


def test_the_log_of_a_run_is_read_again(research, tmp_path, monkeypatch):
    names = run_example(research[2], tmp_path, monkeypatch)
    assert len(names["values"]) == 6
    energies = [record["energy"] for record in names["records"] if "energy" in record]
    assert [sorted(energy) for energy in energies] == [
        ["inception_3b/output", "inception_4c/output"]
    ] * 2


@pytest.mark.slow
@pytest.mark.optimised
def test_lbfgs_makes_the_objective_grow(research, tmp_path, monkeypatch):
    names = run_example(research[3], tmp_path, monkeypatch)
    assert names["values"] == sorted(names["values"])
    assert names["values"][-1] > 1.5 * names["values"][0]


@pytest.mark.slow
@pytest.mark.optimised
def test_optimistix_makes_the_objective_grow(research, tmp_path, monkeypatch):
    pytest.importorskip("optimistix", reason="optimistix is not installed")
    names = run_example(research[4], tmp_path, monkeypatch)
    value = names["objective"].value
    model, image, picture = (names[name] for name in ("model", "image", "picture"))
    assert value(model, picture) > 1.5 * value(model, image)


def test_the_api_reference_has_every_public_name(tmp_path):
    # A type of optax refers to itself by a name that is not in its module.
    quiet = ["-W", "error", "-W", "ignore:Error parsing type annotation"]
    done = subprocess.run(
        [sys.executable, *quiet, ROOT / "scripts" / "make_reference.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Warn" not in done.stderr, done.stderr
    pages = {
        tmp_path / "jaxdream.html": set(jd.__all__) - {"cluster", "objectives"},
        tmp_path / "jaxdream" / "objectives.html": set(objectives.__all__),
        tmp_path / "jaxdream" / "cluster.html": set(jd.cluster.__all__),
    }
    for page, names in pages.items():
        text = page.read_text("utf-8")
        assert {name for name in names if f'id="{name}"' not in text} == set()
