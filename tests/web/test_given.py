import pytest
from page_context import never, page_context, upload

from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import read_image, read_recipe_text, write_image
from jaxdream.settings import DreamSettings, SourceSettings
from jaxdream.web.dreams import Order, prepare
from jaxdream.web.given import look_at


@pytest.fixture
def context(tmp_path):
    return page_context(tmp_path)


@pytest.fixture
def visitor(context):
    return context.visitors.of("visitor")


def dreamed(context, visitor, picture, objective="first"):
    settings = DreamSettings(octaves=1, steps=1)
    order = Order(
        picture=picture, objective=objective, settings=settings, source=SourceSettings(seed=5)
    )
    *_, last = prepare(context, visitor, order).run(never)
    return last.result.path


def test_a_photograph_has_a_size_and_no_settings(context, visitor):
    given = look_at(context, visitor, {"path": upload(context).path, "orig_name": "a b.png"})
    assert given.text.startswith("a b.png: 32x24 pixels.")
    assert given.preview.shape == (24, 32, 3)
    assert given.recipe is None
    assert visitor.original is None


def test_a_dream_has_its_settings_and_finds_its_original(context, visitor):
    picture = upload(context)
    path = dreamed(context, visitor, picture)
    given = look_at(context, visitor, {"path": str(path)})
    assert given.recipe is not None
    assert given.recipe.source.seed == 5
    assert given.recipe.objective == "first"
    assert str(visitor.original) == picture.path
    assert "which is here too" in given.text


def test_another_visitors_original_is_not_found(context, visitor):
    path = dreamed(context, visitor, upload(context))
    other = context.visitors.of("other")
    given = look_at(context, other, {"path": str(path)})
    assert other.original is None
    assert "give that to dream the same again" in given.text


def test_a_picture_of_another_network_is_said_to_be_one(context, visitor, tmp_path):
    path = dreamed(context, visitor, upload(context))
    text = read_recipe_text(path)
    assert text is not None
    renamed = tmp_path / "other.png"
    text = text.replace('"model":"tiny"', '"model":"other"')
    write_image(renamed, read_image(path), recipe=text)
    given = look_at(context, visitor, {"path": str(renamed)})
    assert "made by other, and this page has tiny" in given.text


def test_another_network_of_the_objective_need_not_be_given(context, visitor):
    objective = "first + of_network(googlenet_mini, conv1/7x7_s2)"
    path = dreamed(context, visitor, upload(context, size=(32, 32)), objective)
    given = look_at(context, visitor, {"path": str(path)})
    assert list(given.recipe.files) == ["googlenet_mini"]
    assert "guide" not in given.text


def test_a_recipe_whose_objective_cannot_be_read_is_not_loaded(context, visitor, tmp_path):
    path = dreamed(context, visitor, upload(context))
    text = read_recipe_text(path)
    assert text is not None
    damaged = tmp_path / "damaged.png"
    text = text.replace('"objective":"first"', '"objective":"first?"')
    write_image(damaged, read_image(path), recipe=text)
    given = look_at(context, visitor, {"path": str(damaged)})
    assert given.recipe is None
    assert "its settings cannot be loaded: objective 'first?': cannot read '?'" in given.text


def test_what_is_no_picture_is_refused(context, visitor):
    path = context.folder / "bad.png"
    path.write_bytes(b"no picture")
    with pytest.raises(JaxdreamError, match=r"^sky\.png is not a picture"):
        look_at(context, visitor, {"path": str(path), "orig_name": "sky.png"})
    with pytest.raises(JaxdreamError, match="give a picture first"):
        look_at(context, visitor, None)
