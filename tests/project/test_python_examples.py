"""The Python on the documentation's pages: all of it names what exists, and most of it is run.

A block that is not run has `<!-- not run by tests: WHY -->` before it.
"""

import ast
import importlib
import re
import textwrap

import jax
import numpy as np
import pytest
from documentation import NAMES, PAGES, blocks, inline_code, read
from helpers import ROOT
from python_names import UNKNOWN, bound_names, mistakes
from tiny_network import tiny_network

import jaxdream as jd

# How many blocks of a page the tests below run: all that are not marked.
RUN = {
    "README.md": 1,
    "docs/cluster.md": 1,
    "docs/objectives.md": 2,
    "docs/own_networks.md": 4,
    "docs/python.md": 1,
    "docs/research.md": 5,
    "docs/video.md": 2,
}
# What examples may use without making it, since the text says what it is.
GIVEN = {
    "jd": jd, "jax": jax,
    **dict.fromkeys(("frames", "image", "images", "key", "model", "net", "show"), UNKNOWN),
}  # fmt: skip
# Modules that CONTRIBUTING.md invents, and those whose imports they need.
NEW = {
    "jaxdream/models/small.py": "jaxdream.models.googlenet",
    "jaxdream/cli/compare.py": "jaxdream.cli.visualize",
}


def examples(page):
    """The blocks of a page that are run."""
    text = re.sub(
        r"<!-- not run by tests: .*? -->\n```python\n.*?\n```\n", "", read(page), flags=re.S
    )
    return blocks(text, "python")


def run(code, folder, monkeypatch, *, replaced=(), **given):
    """The names after an example was run in a folder in which the documentation's pictures are."""
    for there, here in replaced:
        assert there in code
        code = code.replace(there, here)
    if not (folder / "docs").exists():
        (folder / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(folder)
    names = {"jd": jd, "jax": jax, **given}
    exec(compile(code, "an example", "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_block_is_run_or_says_why_not(page):
    name = page.relative_to(ROOT).as_posix()
    if name != "CONTRIBUTING.md":  # whose blocks are parts of files: see below
        assert len(examples(page)) == RUN.get(name, 0)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_blocks_name_what_exists(page):
    known = dict(GIVEN)
    for code in blocks(read(page), "python") if page.name != "CONTRIBUTING.md" else ():
        tree = ast.parse(code)
        assert mistakes(tree, known) == []
        known = dict.fromkeys(bound_names(tree), UNKNOWN) | known


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_text_names_what_exists(page):
    if page.name == "CHANGELOG.md":  # which names what is gone, too
        return
    for code in inline_code(read(page)):
        if re.match(r"@?jd\.", code):
            tree = ast.parse(code.removeprefix("@"))
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            assert mistakes(tree, dict.fromkeys(names, UNKNOWN) | {"jd": jd}) == [], code


def test_the_functions_that_are_listed_exist():
    listed = read("docs/python.md").split("## Functions")[1].split("\n\nEach picture")[0]
    names = re.findall(r"`(\w+)`", listed)
    assert len(names) > 10
    assert [name for name in names if not hasattr(jd, name)] == []


def test_parts_of_files_name_what_these_files_have():
    parts = 0
    for code in blocks(read("CONTRIBUTING.md"), "python"):
        assert code.startswith("# jaxdream/")
        assert len(code.splitlines()) < 20
        new = set()  # what the parts before have added
        for path, part in re.findall(r"^# (jaxdream/\S+\.py).*\n((?:(?!# jax).*\n)+)", code, re.M):
            assert (ROOT / path).exists() != (path in NEW)
            module = importlib.import_module(NEW.get(path, path[:-3].replace("/", ".")))
            try:
                tree = ast.parse(textwrap.dedent(part))
            except SyntaxError:
                tree = ast.parse("{" + part + "}")  # entries of a dictionary
            known = dict.fromkeys(("settings", "detail", *new), UNKNOWN) | vars(module)
            found = {mistake for mistake in mistakes(tree, known) if "does not exist" in mistake}
            assert {re.split(r"[. ]", mistake)[1] for mistake in found} <= new
            assert [m for m in mistakes(tree, known) if m not in found] == []
            new |= {*bound_names(tree)}
            parts += 1
    assert parts == 10


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("jd.dreem(0)", "jd.dreem does not exist"),
        ("jd.dream(0, model, image, step=3)", "unexpected keyword argument 'step'"),
        ("jd.dream()", "missing a required argument"),
        ("jd.objectives.chanel('4c', 3)", "jd.objectives.chanel does not exist"),
        ("from jaxdream import dreams", "dreams"),
        ("import no_such_module", "No module named"),
        ("print(picture)", "picture is not defined"),
        ("m = jd.load_model()\nm.layer()", "m.layer does not exist"),
        (
            "for s in jd.iterate_dream(0, model, image):\n    s.pictures",
            "s.pictures does not exist",
        ),
        ("with jd.open_video('x') as r:\n    r.pictures()", "r.pictures does not exist"),
    ],
)
def test_mistakes_are_found(code, wrong):
    assert any(wrong in mistake for mistake in mistakes(ast.parse(code), GIVEN))


@pytest.fixture
def sky(tmp_path):
    """A small picture of noise, also as sky.jpg."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 56, 3)).astype(np.float32)
    jd.write_image(tmp_path / "sky.jpg", noise)
    return noise


SMALL = [('"googlenet"', '"googlenet_mini"'), ("steps=20", "steps=2"), ("octaves=5", "octaves=1")]


def test_the_readmes_example_dreams(sky, tmp_path, monkeypatch):
    (code,) = examples("README.md")
    assert len(code.splitlines()) < 10
    run(code, tmp_path, monkeypatch, replaced=SMALL)
    assert jd.read_image(tmp_path / "out.png").shape == sky.shape


@pytest.mark.slow
def test_the_example_of_the_page_on_python(sky, tmp_path, monkeypatch):
    (code,) = examples("docs/python.md")
    # The process of the tests may hold more than the example allows.
    replaced = [*SMALL, ("memory=4 * 10**9", "memory=10**12")]
    names = run(code, tmp_path, monkeypatch, replaced=replaced)
    assert jd.read_image(tmp_path / "out.png").shape == sky.shape
    assert names["state"].done == 1
    assert names["activations"]["3b"].shape == (1, 6, 7, 480)


def test_devices_share_pictures_and_rows(sky, tmp_path, monkeypatch):
    (code,) = examples("docs/cluster.md")
    replaced = [("shard=some", "shard=some, steps=1")]
    names = run(
        code, tmp_path, monkeypatch, replaced=replaced,
        key=0, model=tiny_network(), image=sky, images=[sky, sky[:40]],
    )  # fmt: skip
    assert [dream.shape for dream in names["dreams"]] == [(48, 56, 3), (40, 56, 3)]
    assert names["dreamed"].shape == sky.shape


@pytest.mark.slow
def test_frames_from_anywhere_and_from_a_file(sky, tmp_path, monkeypatch):
    pytest.importorskip("av", reason="videos need `pip install '.[video]'`")
    anywhere, of_a_file = examples("docs/video.md")
    shown, frames = [], [np.roll(sky, 2 * n, axis=1) for n in range(3)]
    names = run(
        anywhere, tmp_path, monkeypatch, replaced=SMALL[:1], frames=frames, show=shown.append
    )
    assert [picture.shape for picture in shown] == [sky.shape] * 3
    jd.write_video(tmp_path / "walk.mp4", ((frame, n / 10) for n, frame in enumerate(frames)))
    run(of_a_file, tmp_path, monkeypatch, model=names["model"])
    with jd.open_video(tmp_path / "dream.mp4") as reader:
        assert len([frame.pixels for frame in reader.frames()]) == 3


def test_an_objective_on_one_half_of_the_picture(tmp_path, monkeypatch):
    names = run(examples("docs/objectives.md")[0], tmp_path, monkeypatch)
    x = np.ones((4, 6, 3))
    x[:, 3:] = 100  # the right half
    assert names["left_half"].function(x) == 0.5 * 4 * 3 * 3


def test_a_network_of_ones_own_is_wrapped(tmp_path, monkeypatch):
    names = run(examples("docs/own_networks.md")[0], tmp_path, monkeypatch, net=lambda x: {"x": x})
    assert names["model"].preprocessing.order == "BGR"


@pytest.mark.slow
@pytest.mark.optimised
def test_the_example_learns_the_shares_of_two_layers(tmp_path, monkeypatch):
    names = run(examples("docs/objectives.md")[1], tmp_path, monkeypatch)
    np.testing.assert_allclose(jax.nn.softmax(names["logits"]), [0.2, 0.8], atol=0.04)


@pytest.mark.slow
@pytest.mark.optimised
def test_the_network_of_digits_knows_what_it_draws(tmp_path, monkeypatch):
    names = run(examples("docs/own_networks.md")[1], tmp_path, monkeypatch)
    assert names["right"].mean() > 0.85
    seen = np.asarray(names["net"](names["seen"] / 255))  # a row for each picture
    assert (seen.argmax(axis=0) == np.arange(10)).sum() >= 7
    assert (np.diag(seen) > seen.mean(axis=0)).all()
    assert jd.read_image("digits.png").shape[2] == 3


@pytest.mark.slow
def test_the_transformer_sees_a_token_where_it_is(tmp_path, monkeypatch):
    names = run(examples("docs/own_networks.md")[2], tmp_path, monkeypatch)
    assert names["everywhere"].shape == names["one_token"].shape == (48, 48, 3)
    value = jd.objectives.neuron("blocks/1", 5, token=14).value
    model = names["model"]
    assert value(model, names["one_token"]) > value(model, names["everywhere"])


def test_the_equinox_network_dreams(tmp_path, monkeypatch):
    names = run(examples("docs/own_networks.md")[3], tmp_path, monkeypatch)
    assert names["out"].shape == (64, 96, 3)
    objective = jd.parse_objective("second + 0.5*first:3", names["model"])
    values = [objective.value(names["model"], names[name]) for name in ("image", "out")]
    assert values[1] > 1.2 * values[0]


@pytest.mark.slow
@pytest.mark.optimised
def test_the_figure_of_a_paper_is_made(tmp_path, monkeypatch):
    names = run(examples("docs/research.md")[0], tmp_path, monkeypatch)
    image, dreams, model = (names[name] for name in ("image", "dreams", "model"))
    for energy, dreamed in zip(names["energies"], dreams, strict=True):
        assert energy.value(model, dreamed) > 1.2 * energy.value(model, image)
    assert jd.read_image("figure.png").std() > 20


@pytest.mark.slow
def test_an_objective_of_ones_own_grows(tmp_path, monkeypatch):
    names = run(examples("docs/research.md")[1], tmp_path, monkeypatch)
    assert names["gradient"].shape == names["image"].shape
    assert names["contrast"].value(names["model"], names["out"]) > names["value"]


def test_the_log_of_a_run_is_read_again(tmp_path, monkeypatch):
    names = run(examples("docs/research.md")[2], tmp_path, monkeypatch)
    assert len(names["values"]) == 6
    energies = [record["energy"] for record in names["records"] if "energy" in record]
    assert [sorted(energy) for energy in energies] == [
        ["inception_3b/output", "inception_4c/output"]
    ] * 2


@pytest.mark.slow
@pytest.mark.optimised
def test_lbfgs_makes_the_objective_grow(tmp_path, monkeypatch):
    names = run(examples("docs/research.md")[3], tmp_path, monkeypatch)
    assert names["values"] == sorted(names["values"])
    assert names["values"][-1] > 1.5 * names["values"][0]


@pytest.mark.slow
@pytest.mark.optimised
def test_optimistix_makes_the_objective_grow(tmp_path, monkeypatch):
    pytest.importorskip("optimistix", reason="optimistix is not installed")
    names = run(examples("docs/research.md")[4], tmp_path, monkeypatch)
    value = names["objective"].value
    model, image, picture = (names[name] for name in ("model", "image", "picture"))
    assert value(model, picture) > 1.5 * value(model, image)
