import io

import numpy as np
import pytest
from page_context import never, page_context, upload
from PIL import Image

from jaxdream import dream, read_image
from jaxdream.errors import JaxdreamError
from jaxdream.images.picture_files import read_picture
from jaxdream.recipe import read_recipe
from jaxdream.settings import DreamSettings, SourceSettings
from jaxdream.web.dreams import Order, prepare
from jaxdream.web.uploads import Painting, Upload

SETTINGS = DreamSettings(octaves=2, steps=2, jitter=4)


@pytest.fixture
def context(tmp_path):
    return page_context(tmp_path)


@pytest.fixture
def visitor(context):
    return context.visitors.of("visitor")


def order(picture, objective="second", settings=SETTINGS, source=None, **more):
    source = SourceSettings(seed=3) if source is None else source
    return Order(picture=picture, objective=objective, settings=settings, source=source, **more)


def made(context, visitor, asked, stopped=never):
    """Every moment of an order, to its end."""
    return list(prepare(context, visitor, asked).run(stopped))


def painting(size, columns):
    """Paint over the first columns of a picture of a height and width."""
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[:, :columns, 3] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return Painting((file.getvalue(),))


def test_it_is_the_dream_of_the_public_function(context, visitor):
    picture = upload(context)
    moments = made(context, visitor, order(picture))
    result = moments[-1].result
    wanted = dream(3, context.model(), read_image(picture.path), "second", settings=SETTINGS)
    np.testing.assert_array_equal(read_image(result.path), np.round(np.asarray(wanted)))
    assert [moment.done for moment in moments] == sorted(moment.done for moment in moments)
    assert moments[-1].done == 1
    assert len(moments) == 2 * 2 + 1
    assert visitor.results == [result]


def test_the_file_carries_its_recipe_and_the_pictures_own_name(context, visitor):
    picture = upload(context, "0f3a.png")._replace(name="sky.png")
    result = made(context, visitor, order(picture))[-1].result
    recipe = read_recipe(result.path)
    assert recipe.input_name == "sky.png"
    assert recipe.settings == SETTINGS
    assert recipe.source.seed == 3
    assert recipe.input_sha256 == read_picture(picture.path).sha256
    assert result.path.name == "sky_dream.png"


def test_a_dream_that_is_stopped_keeps_what_there_is(context, visitor):
    moments = made(context, visitor, order(upload(context)), stopped=lambda: True)
    assert len(moments) == 2
    assert moments[-1].text == "stopped"
    assert 0 < moments[-1].done < 1
    assert read_image(moments[-1].result.path).shape == (24, 32, 3)
    with pytest.raises(JaxdreamError, match="only a finished dream"):
        read_recipe(moments[-1].result.path)


def test_what_is_not_painted_stays_as_it_was(context, visitor):
    picture = upload(context)
    painted = painting((24, 32), 8)
    result = made(context, visitor, order(picture, painting=painted))[-1].result
    before, after = read_image(picture.path), read_image(result.path)
    np.testing.assert_array_equal(after[:, 8:], before[:, 8:])
    assert (after[:, :8] != before[:, :8]).any()
    recipe = read_recipe(result.path)
    assert recipe.source.mask == "mask.png"
    assert recipe.files["mask.png"] == read_picture(result.mask).sha256


def test_nothing_painted_is_no_mask(context, visitor):
    painted = painting((24, 32), 0)
    result = made(context, visitor, order(upload(context), painting=painted))[-1].result
    assert result.mask is None
    assert read_recipe(result.path).source.mask is None


def test_a_guide_is_named_as_the_visitor_knows_it(context, visitor):
    guide = upload(context, "17.png", size=(20, 20))._replace(name="my flowers.png")
    result = made(context, visitor, order(upload(context), guide=guide))[-1].result
    recipe = read_recipe(result.path)
    assert recipe.objective == 'guide("my flowers.png", second)'
    assert list(recipe.files) == ["my flowers.png"]


def test_a_recipes_guide_is_the_one_that_is_given_again(context, visitor):
    guide = upload(context, "other name.png", size=(20, 20))
    asked = order(upload(context), 'guide("flowers.png", second)', guide=guide)
    assert list(read_recipe(made(context, visitor, asked)[-1].result.path).files) == ["flowers.png"]


def test_transparency_is_kept(context, visitor):
    alpha = np.full((24, 32), 200, np.uint8)
    result = made(context, visitor, order(upload(context, alpha=alpha)))[-1].result
    np.testing.assert_array_equal(read_picture(result.path).alpha, alpha)


def test_a_dream_can_begin_from_noise(context, visitor):
    source = SourceSettings(begin="noise", size="16x12")
    result = made(context, visitor, order(None, source=source))[-1].result
    assert read_image(result.path).shape == (12, 16, 3)
    assert read_recipe(result.path).source.begin == "noise"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"picture": None}, "give a picture first"),
        ({"objective": "secnd"}, "second"),
        ({"objective": 'guide("/etc/passwd", second)'}, "cannot name a file"),
        ({"objective": 'mask("sky.png")*second'}, "cannot name a file"),
        ({"objective": 'direction("a.npy", second)'}, "cannot name a file"),
        ({"objective": 'cosine("a.npy", second)'}, "cannot name a file"),
        ({"objective": 'style("/etc/passwd", second)'}, "cannot name a file"),
        ({"objective": 'of_network("/tmp/a.safetensors", 3b)'}, "no model '/tmp/a.safetensors'"),
        ({"objective": 'of_network("os:getcwd", 3b)'}, "no model 'os:getcwd'"),
        ({"objective": 'of_network(googlenet_mini, guide("a.png"))'}, "cannot name a file"),
        ({"objective": "second + alignment(second)"}, "of several pictures that are made together"),
        ({"source": SourceSettings(size="300")}, r"300x225 pixels are over the 0\.01 megapixels"),
        ({"source": SourceSettings(size="9x9x9")}, "is not a size"),
        ({"source": SourceSettings(begin="noise", size="99999x99999")}, "too large"),
        ({"source": SourceSettings(begin="noise", size="4000")}, "megapixels allowed here"),
        ({"source": SourceSettings(begin="noise")}, "megapixels allowed here"),
        ({"settings": DreamSettings(steps=50, octaves=1)}, "50 steps in all are over the 40"),
        ({"settings": DreamSettings(seamless="sphere")}, "twice as wide"),
    ],
)
def test_what_cannot_be_is_refused_before_it_waits(tmp_path, changes, line):
    context = page_context(tmp_path, megapixels=0.01, total_steps=40)
    asked = {"picture": upload(context), "objective": "second", "settings": SETTINGS}
    asked |= {"source": SourceSettings()}
    with pytest.raises(JaxdreamError, match=line):
        prepare(context, context.visitors.of("visitor"), Order(**asked | changes))


def test_a_line_about_a_picture_names_no_place_of_this_machine(context, visitor):
    path = context.folder / "bad.png"
    path.write_bytes(b"no picture")
    with pytest.raises(JaxdreamError) as raised:
        prepare(context, visitor, order(Upload(str(path), "sky.png")))
    assert str(context.folder) not in str(raised.value)
    assert "sky.png" in str(raised.value)


def test_the_command_and_the_program_are_those_of_the_order(context, visitor):
    result = made(context, visitor, order(upload(context)))[-1].result
    assert result.command.startswith("jaxdream dream sky.png -o sky_dream.png --layer second")
    assert "--seed 3" in result.command
    compile(result.python, "program", "exec")
