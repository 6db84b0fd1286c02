"""The documentation: what it names exists, its links lead somewhere, its tables are today's."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata

import numpy as np
import pytest
from documentation import NAMES, PAGES, blocks, inline_code, read
from helpers import ROOT

import jaxdream as jd
import make_reference
from jaxdream import objectives
from jaxdream.cli.commands import build_parser
from jaxdream.cli.exit_codes import MEANINGS
from jaxdream.objectives.functions import FUNCTIONS
from jaxdream.settings import settings_table

# Pages whose options are those of other programs as well.
OTHERS = ("docs/benchmarks.md", "docs/cluster.md", "weights/README.md", "CHANGELOG.md")
# Each table of settings is on one page.
TABLES = {
    "docs/dreaming.md": ["settings"],
    "docs/zoom.md": ["zoom settings"],
    "docs/video.md": ["video settings"],
    "docs/visualize.md": ["visualize settings"],
    "docs/page.md": ["page settings"],
    "docs/units.md": ["examples settings", "atlas settings"],
}


def test_every_exit_code_is_listed():
    rows = [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    assert "\n".join(["| exit code | |", "|---|---|", *rows]) in read("docs/command_line.md")


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
def test_options_in_the_text_exist(page):
    (parsers,) = (a.choices for a in build_parser()._actions if isinstance(a.choices, dict))
    known = {name for p in parsers.values() for a in p._actions for name in a.option_strings}
    known |= {"--forget", "--tables", "--version"}
    for code in inline_code(read(page)):
        if NAMES[PAGES.index(page)] not in OTHERS and not code.startswith("python scripts/"):
            assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", code)) <= known, code


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_tables_of_settings_are_todays(page):
    text = read(page)
    tables = TABLES.get(NAMES[PAGES.index(page)], [])
    assert text.count("| option | Python | default | |") == len(tables)
    for name in tables:
        table = settings_table(*make_reference.TABLES[name])
        marked = f"<!-- {name} -->\n{table}\n<!-- /{name} -->"
        assert marked in text, "run `python scripts/make_reference.py --tables`"
    assert make_reference.with_tables(text) == text
    emptied = re.sub(r"(\| option \| Python .*\n\|---.*\n)(\|.*\n)+", r"\1", text)
    assert (emptied != text) == bool(tables)
    assert make_reference.with_tables(emptied) == text


def test_every_table_has_a_page():
    assert sorted(name for names in TABLES.values() for name in names) == sorted(
        make_reference.TABLES
    )


def test_the_map_is_that_of_the_import_contract():
    (drawn, *_) = blocks(read("CONTRIBUTING.md"), "text")
    names = [line.split()[0] for line in drawn.splitlines()]
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = pyproject["tool"]["importlinter"]["contracts"]
    # Those that stand beside each other in the contract may come in any order.
    for layer in contract["layers"]:
        beside = layer.split(" | ")
        assert sorted(names[: len(beside)]) == sorted(beside)
        del names[: len(beside)]
    assert names == []


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
