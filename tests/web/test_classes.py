"""Orders for pictures of a class or of channels: what is made, how it is told, what is refused."""

import json
import shlex

import numpy as np
import pytest
from page_context import never, page_context

import jaxdream as jd
from jaxdream.cli.commands import build_parser
from jaxdream.cli.main import run
from jaxdream.cli.targets import parse_targets
from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import read_recipe_text
from jaxdream.recipe import UNFINISHED
from jaxdream.settings import SourceSettings, VisualizeSettings
from jaxdream.web.classes import Order, prepare_classes, search_classes

SIDE = 24
SETTINGS = VisualizeSettings(steps=2, transforms=False)  # quick to compile


@pytest.fixture
def context(tmp_path):
    return page_context(tmp_path)


@pytest.fixture
def visitor(context):
    return context.visitors.of("visitor")


@pytest.fixture
def bananas(monkeypatch):
    """A channel instead of the class's logit, which the tiny network has not."""
    asked = []

    def instead(index):
        asked.append(index)
        return jd.objectives.channel("second", 4)

    monkeypatch.setattr("jaxdream.visualization.targets.logit", instead)
    return asked


def order(*, size: str | None = str(SIDE), seed=3, settings=SETTINGS, **more):
    return Order(settings=settings, source=SourceSettings(size=size, seed=seed), **more)


def made(context, visitor, asked, stopped=never):
    """Every moment of an order, to its end."""
    return list(prepare_classes(context, visitor, asked).run(stopped))


def public(context, objective, **settings):
    """What the public function makes."""
    pictures = jd.visualize(
        3, context.model(), objective, size=SIDE, **SETTINGS.values() | settings
    )
    return np.asarray(pictures)


def check_file(result, picture):
    np.testing.assert_array_equal(jd.read_image(result.path), np.round(picture))


def recorded(result):
    return json.loads(read_recipe_text(result.path) or "")


def test_a_class_is_found_by_its_name(context, visitor, bananas):
    moments = made(context, visitor, order(class_text="Banana"))
    assert bananas == [954]
    result = moments[-1].result
    check_file(result, public(context, "channel(second, 4)"))
    assert result.path.name == "banana.png"
    assert result.caption == f"banana, {SIDE}x{SIDE}, seed 3"
    assert visitor.results == [result]
    # Each step is shown, and what was made.
    assert [moment.text for moment in moments] == ["step 1 of 2", "step 2 of 2", "finished"]
    assert [moment.done for moment in moments] == [0.5, 1, 1]
    for moment in moments:
        assert moment.shown.dtype == np.uint8
        assert moment.shown.shape == (SIDE, SIDE, 3)
    assert (moments[0].shown != moments[1].shown).any()


@pytest.mark.parametrize(
    ("text", "index", "command", "name"),
    [
        ("954", 954, "--class banana", "banana"),
        ("134", 134, "--class 134", "crane"),  # a name that two classes have
        ("maillot, tank suit", 639, "--class 639", "maillot"),
    ],
)
def test_a_class_goes_by_a_name_that_is_its_own(
    context, visitor, bananas, text, index, command, name
):
    result = made(context, visitor, order(class_text=text))[-1].result
    assert bananas == [index]
    assert recorded(result)["pictures"] == [name]
    assert f" {command} " in result.command
    options = build_parser().parse_args(
        shlex.split(result.command.replace("--model tiny", "--model googlenet_mini"))[1:]
    )
    (target,) = parse_targets(options)
    assert target.label == name


def test_several_channels_are_a_sheet(context, visitor):
    moments = made(context, visitor, order(layer="second", channels="1, 3-4"))
    result = moments[-1].result
    pictures = public(context, [f"channel(second, {i})" for i in (1, 3, 4)])
    sheet = jd.contact_sheet(list(pictures), ["1", "3", "4"])
    check_file(result, sheet)
    assert [moment.shown.shape for moment in moments] == [sheet.shape] * 3
    assert result.path.name == "second_1_grid.png"
    assert result.caption == f"second 1, 3-4, {SIDE}x{SIDE}, seed 3"


def test_the_file_says_how_it_was_made(context, visitor):
    made_with = order(layer="second", channels="0-1")
    values = recorded(made(context, visitor, made_with)[-1].result)
    assert values["recipe"] == "visualize"
    assert values["pictures"] == ["second 0", "second 1"]
    assert (values["size"], values["seed"], values["model"]) == ([SIDE, SIDE], 3, "tiny")
    settings = SETTINGS.complete(photograph=False).values()  # with what the defaults stand for
    assert {name: values[name] for name in settings} == settings


@pytest.mark.parametrize(
    "asked",
    [
        order(layer="alias", channels="2"),
        order(layer="", channels="0-1,4"),
        order(layer="relu"),
        order(layer="second", channels="1", count=2),
        order(layer="relu", count=3, settings=SETTINGS.replace(diversity=2.0)),
    ],
)
def test_the_command_and_the_program_make_the_same(context, visitor, asked, monkeypatch, tmp_path):
    result = made(context, visitor, asked)[-1].result
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxdream.cli.session.start_jax", lambda _: None)
    monkeypatch.setattr("jaxdream.cli.session.load", lambda *_: context.model())
    program, *words = shlex.split(result.command)
    assert program == "jaxdream"
    assert run(words) == 0
    (file,) = tmp_path.glob("*.png")
    assert file.name == result.path.name
    assert file.read_bytes() == result.path.read_bytes()  # with the text that says how
    file.unlink()
    monkeypatch.setattr("jaxdream.load_model", {"tiny": context.model()}.__getitem__)
    exec(compile(result.python, "program", "exec"), {})
    np.testing.assert_array_equal(jd.read_image(file), jd.read_image(result.path))


def test_several_pictures_of_one_thing_differ(context, visitor):
    result = made(context, visitor, order(layer="second", channels="1", count=2))[-1].result
    pictures = public(context, ["channel(second, 1)"] * 2, diversity=0.5)
    sheet = jd.contact_sheet(list(pictures), ["second 1 1", "second 1 2"])
    check_file(result, sheet)
    assert recorded(result)["diversity"] == 0.5
    assert result.caption == f"second 1, 2 pictures, {SIDE}x{SIDE}, seed 3"


def test_what_is_stopped_keeps_what_there_is(context, visitor, bananas):
    del bananas
    moments = made(context, visitor, order(class_text="banana"), stopped=lambda: True)
    first, last = moments
    assert last.text == "stopped"
    assert last.done == 0.5
    assert last.result.caption.startswith("stopped: banana")
    np.testing.assert_array_equal(jd.read_image(last.result.path), first.shown)
    assert read_recipe_text(last.result.path) == UNFINISHED
    assert visitor.results == [last.result]


def test_a_sheet_that_is_stopped_has_the_pictures_that_are_begun(context, visitor, monkeypatch):
    monkeypatch.setattr("jaxdream.visualization.planning._BATCH_PIXELS", SIDE * SIDE)
    steps = iter([False, False, True])
    asked = order(layer="second", channels="0-3")
    moments = made(context, visitor, asked, stopped=lambda: next(steps))
    assert [moment.text for moment in moments] == [
        "1 of 4 pictures begun, step 1 of 2",
        "1 of 4 pictures begun, step 2 of 2",
        "2 of 4 pictures begun, step 1 of 2",
        "stopped",
    ]
    # While it grows, all have their places; those that are not begun are grey.
    side = 2 * (SIDE + 8) + 8
    assert moments[0].shown.shape == (side + 2 * 21, side, 3)
    assert (moments[0].shown[8 : 8 + SIDE, 16 + SIDE : -8] == moments[0].shown[8, -9]).all()
    assert moments[-1].shown.shape == (SIDE + 16 + 21, side, 3)
    np.testing.assert_array_equal(jd.read_image(moments[-1].result.path), moments[-1].shown)


def test_no_size_is_that_of_the_command(context, visitor):
    prepared = prepare_classes(context, visitor, order(layer="second", size=None))
    assert prepared.cost == 2 * 224 * 224
    assert prepared.before is None


REFUSED = {
    "no class": ({"class_text": " "}, "choose a class first"),
    "class": ({"class_text": "bananna"}, "no class 'bananna': the nearest are banana (954)"),
    "class by two": ({"class_text": "crane"}, "give an index of 134 (crane), 517 (crane)"),
    "layer": ({"layer": "secnd"}, "no layer 'secnd': the nearest is second"),
    "channel": ({"layer": "second", "channels": "5"}, "channels 0 to 4, not 5"),
    "channels": ({"layer": "second", "channels": "1,x"}, "give numbers, as in 12 or 0-15"),
    "many": (
        {"layer": "second", "channels": "0-19"},
        "20 pictures are over the 16 made at once here: name fewer channels",
    ),
    "count": ({"layer": "second", "channels": "0-1", "count": 2}, "name one channel"),
    "diversity": (
        {"layer": "second", "settings": SETTINGS.replace(diversity=1.0)},
        "choose more than 1 picture",
    ),
    "steps": (
        {"layer": "second", "settings": SETTINGS.replace(steps=21)},
        "are over the 20 allowed here",
    ),
    "size": ({"layer": "second", "size": "2000"}, "2000x2000 pixels are over the 2 megapixels"),
    "no size": ({"layer": "second", "size": "wide"}, "'wide' is not a size"),
    "memory": (
        {"layer": "second", "size": "1100"},
        "1 picture of 1100x1100 pixels would take too much memory here",
    ),
    "memory of several": (
        {"layer": "second", "size": "600", "count": 3},
        "3 pictures of 600x600 pixels would take too much memory here",
    ),
    "megapixels of all": (
        {"layer": "second", "size": "700", "channels": "0-4"},
        "5 pictures of 700x700 pixels would take too much memory here",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_made_is_refused_in_one_line(tmp_path, case):
    asked, says = REFUSED[case]
    context = page_context(tmp_path, megapixels=2.0, total_steps=20)
    visitor = context.visitors.of("visitor")
    with pytest.raises(JaxdreamError) as caught:
        prepare_classes(context, visitor, order(**asked))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not visitor.folder.exists()


def test_as_many_as_are_allowed_are_made(tmp_path):
    context = page_context(tmp_path, megapixels=2.0, total_steps=20)
    asked = order(layer="data", channels="0-2", size="800", settings=SETTINGS.replace(steps=20))
    assert prepare_classes(context, context.visitors.of("visitor"), asked).cost == 20 * 3 * 800**2


def test_a_search_finds_classes_by_a_part_of_a_name(tiny):
    assert search_classes(tiny, "banana") == ([("banana", "954")], "1 class is found.")
    dogs = search_classes(tiny, " Dog ")
    assert ("Maltese dog, Maltese terrier, Maltese", "153") in dogs.choices
    assert ("dalmatian, coach dog, carriage dog", "251") in dogs.choices
    assert dogs.text == f"{len(dogs.choices)} classes are found."
    assert {value for _, value in search_classes(tiny, "crane").choices} == {"134", "517"}
    assert search_classes(tiny, "954") == search_classes(tiny, "banana")


def test_a_search_shows_only_so_many(tiny):
    many = search_classes(tiny, "a")
    assert len(many.choices) == 24
    assert many.text.endswith("classes are found; these are the first 24.")
    some = search_classes(tiny, "  ")
    assert 20 <= len(some.choices) <= 24
    assert some.text == "These are some of 1,000 classes."
    assert len({value for _, value in some.choices}) == len(some.choices)


def test_a_search_in_vain_says_what_is_near(tiny):
    with pytest.raises(JaxdreamError, match=r"no class 'bananna': the nearest are banana \(954\)"):
        search_classes(tiny, "bananna")
