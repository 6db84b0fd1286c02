"""Settings: what a class of them knows of itself, and what is made from it."""

import inspect
import json

import jax
import msgspec
import numpy as np
import optax
import pytest

import jaxdream as jd
from jaxdream.cli.options import Parser, add_settings, read_settings
from jaxdream.errors import JaxdreamError
from jaxdream.files.schema import convert
from jaxdream.recipe import Provenance, Recipe
from jaxdream.settings import (
    Compute,
    DreamSettings,
    SourceSettings,
    VisualizeSettings,
    ZoomSettings,
    default_text,
    json_fields,
    option_name,
    setting,
    settings_table,
    takes_settings,
)


class More(DreamSettings):
    """The settings of a dream, and one more."""

    extra: float = setting(default=0.5, help="how much more", minimum=0, maximum=2)


class Later(DreamSettings):
    """The settings of a dream, and one that recipes have since schema 5."""

    extra: float = setting(default=0.5, help="how much more", since=5)


def recipe(settings):
    made = Provenance(
        jaxdream="1", model="m", weights_sha256="ab", precision="float32", jax="1", platform="cpu"
    )
    return Recipe(
        settings=settings, source=SourceSettings(), size=(8, 9), objective="l1", files={},
        input_name="a.png", input_sha256="cd", provenance=made,
    )  # fmt: skip


class TestOneMoreSetting:
    """A field in the class is all that it takes."""

    def test_is_an_option_of_the_command_line(self):
        parser = Parser(prog="jaxdream")
        add_settings(parser, More)
        assert "--extra X" in parser.format_help()
        assert "how much more (default: 0.5)" in parser.format_help()
        assert read_settings(parser.parse_args([]), More) == More()
        given = read_settings(parser.parse_args(["--extra", "0.25", "--steps", "3"]), More)
        assert given == More(extra=0.25, steps=3)

    def test_its_range_is_that_of_the_option(self, capsys):
        parser = Parser(prog="jaxdream")
        add_settings(parser, More)
        with pytest.raises(SystemExit):
            parser.parse_args(["--extra", "3"])
        assert "argument --extra: it is a number from 0 to 2, not 3" in capsys.readouterr().err

    def test_is_in_the_recipe(self):
        made = recipe(More(extra=0.25))
        text = made.to_json()
        assert json.loads(text)["extra"] == 0.25
        assert Recipe.from_json(text, settings=More) == made
        with pytest.raises(JaxdreamError, match="object contains unknown field extra"):
            Recipe.from_json(text)

    def test_is_its_default_in_recipes_from_before_it(self):
        before = recipe(DreamSettings(steps=3)).to_json()
        with pytest.raises(JaxdreamError, match="object missing required field extra"):
            Recipe.from_json(before, settings=More)
        assert Recipe.from_json(before, settings=Later).settings == Later(steps=3)

    def test_changes_nothing_that_was_recorded_before_it_came(self):
        assert Later(steps=3).recorded() == DreamSettings(steps=3).recorded()
        assert Later(extra=0.25).recorded()["extra"] == 0.25

    def test_is_in_a_functions_signature_and_docstring(self):
        @takes_settings(settings=More)
        def function(image, *, settings: More):
            """Do something.

            Args:
                {settings}
            """
            return image + settings.extra

        parameter = inspect.signature(function).parameters["extra"]
        assert (parameter.kind, parameter.default) == (inspect.Parameter.KEYWORD_ONLY, 0.5)
        assert function(1.0, extra=0.25) == 1.25
        assert function(1.0, settings=More(extra=2)) == 3
        for documented in (function, takes_settings(settings=More)(_documented)):
            text = inspect.getdoc(documented) or ""
            assert "\n    extra: how much more (default: 0.5)." in text
            assert "\n    steps: steps of gradient ascent in each octave" in text

    def test_is_in_the_table_of_the_documentation(self):
        assert "| `--extra` | `extra` | 0.5 | how much more |" in settings_table(More).splitlines()


def _documented(*, settings):
    """Do something.

    Args:
        {settings}
    """
    return settings


@pytest.mark.parametrize(
    ("cls", "values", "says"),
    [
        (DreamSettings, {"steps": 0}, "steps is a whole number from 1 to 1,000,000, not 0"),
        (DreamSettings, {"octaves": 101}, "octaves is a whole number from 1 to 100, not 101"),
        (DreamSettings, {"octave_scale": 1.0}, "octave_scale is a number over 1, at most 1,000"),
        (DreamSettings, {"step_size": np.inf}, "step_size is a number from .* to .*, not inf"),
        (DreamSettings, {"smooth": -0.1}, "smooth is a number from 0 to 100, not -0.1"),
        (SourceSettings, {"seed": 2**32}, "seed is a whole number from 0 to 4,294,967,295"),
        (Compute, {"memory": 0}, "memory is a whole number from 1 to .*, not 0"),
        (ZoomSettings, {"easing": "ino"}, "easing cannot be 'ino': did you mean in"),
        (ZoomSettings, {"easing": "xyz"}, "it is one of linear, in, out, in-out"),
        (ZoomSettings, {"shift": (1.0, 2e5)}, "shift is a number from -100,000 to 100,000"),
        (VisualizeSettings, {"learning_rate": 0}, "learning_rate is a number over 0"),
    ],
)
def test_values_out_of_range_are_refused_with_the_range(cls, values, says):
    with pytest.raises(JaxdreamError, match=says):
        cls(**values)
    with pytest.raises(JaxdreamError, match=says):
        cls().replace(**values)


@pytest.mark.parametrize(
    ("known", "value", "says"),
    [
        (setting(default=1, help=""), 1.5, "extra is a finite whole number, not 1.5"),
        (setting(default=1, help=""), True, "extra is a finite whole number, not True"),
        (setting(default=1, help=""), float("nan"), "not nan"),
        (setting(default=1, help=""), "ten", "not 'ten'"),
        (setting(default=1, help=""), None, "not None"),
        (setting(default=1.0, help=""), float("nan"), "extra is a finite number, not nan"),
        (setting(default=1.0, help=""), False, "extra is a finite number, not False"),
        (setting(default=1.0, help=""), "1", "not '1'"),
        (setting(default=False, help=""), 1, "extra is True or False, not 1"),
        (setting(default=(0.0, 0.0), help="", kind=float, count=2), (1,), "extra takes 2 numbers"),
        (setting(default=(0.0, 0.0), help="", kind=float, count=2), 1.0, "extra takes 2 numbers"),
    ],
)
def test_values_of_another_type_are_refused(known, value, says):
    class One(DreamSettings):
        extra: object = known

    with pytest.raises(JaxdreamError, match=says):
        One(extra=value)


def test_whole_numbers_are_floats_too_and_numbers_of_numpy_are_numbers():
    # In classes of this file, since the tests check the annotations of jaxdream's own.
    class Numbers(DreamSettings):
        real: object = setting(default=0.5, help="", minimum=0)
        whole: object = setting(default=1, help="", minimum=0)

    for value in (2, np.float32(0.5), np.int64(2), np.array(2.0)):
        assert Numbers(real=value).real == value
    for value in (2.0, np.int64(2), np.array(2)):
        assert Numbers(whole=value).whole == 2
    with pytest.raises(JaxdreamError, match="whole is a whole number of at least 0, not -2"):
        Numbers(whole=np.int64(-2))


def test_values_that_are_being_traced_are_not_looked_at():
    assert jax.jit(lambda size: 2 * DreamSettings(step_size=size).step_size)(1e9) == 2e9


def test_none_is_only_a_value_where_it_is_the_default():
    assert Compute(memory=None).memory is None
    with pytest.raises(JaxdreamError, match="extra is a number from 0 to 2, not None"):
        More(extra=None)  # pyright: ignore[reportArgumentType]


def test_a_wrong_name_is_refused_with_the_right_one():
    with pytest.raises(JaxdreamError, match="no setting 'step': did you mean steps"):
        DreamSettings().replace(step=3)
    with pytest.raises(JaxdreamError, match="no setting 'xyz': there are memory, shard"):
        Compute().replace(xyz=3)


def test_settings_cannot_be_changed_and_equal_ones_are_equal():
    settings = DreamSettings(steps=3)
    with pytest.raises(AttributeError):
        settings.steps = 4  # pyright: ignore[reportAttributeAccessIssue]
    assert settings == DreamSettings().replace(steps=3) != DreamSettings()
    assert settings.values()["steps"] == 3


def test_an_optimizer_is_a_name_or_an_optimizer_with_its_own_rate():
    assert DreamSettings(optimizer=optax.adam(0.5)).optimizer
    with pytest.raises(JaxdreamError, match="the name of one or an optax optimiser, not 3"):
        DreamSettings(optimizer=3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(JaxdreamError, match="give an optax optimiser its learning rate"):
        DreamSettings(optimizer=optax.adam(0.5), step_size=2.0)


class TestFunctionsThatTakeSettings:
    @staticmethod
    @takes_settings(settings=DreamSettings, compute=Compute)
    def function(image, *, settings, compute, other=1):
        return image, settings, compute, other

    def test_names_win_over_objects(self):
        mine = DreamSettings(steps=3, octaves=2)
        found = self.function(7, settings=mine, steps=5, memory=10**9, other=2)
        assert found == (7, mine.replace(steps=5), Compute(memory=10**9), 2)
        assert self.function(7) == (7, DreamSettings(), Compute(), 1)

    def test_a_wrong_name_is_a_type_error_with_the_right_one(self):
        with pytest.raises(TypeError, match="argument 'octave': did you mean 'octaves'"):
            self.function(7, octave=3)

    def test_a_wrong_object_is_refused(self):
        with pytest.raises(JaxdreamError, match="settings is a DreamSettings, not Compute"):
            self.function(7, settings=Compute())

    @pytest.mark.parametrize("function", [jd.dream, jd.iterate_dream, jd.dream_batch])
    def test_help_shows_every_setting(self, function):
        for name in [*DreamSettings().values(), *Compute().values()]:
            assert f"\n    {name}: " in inspect.getdoc(function)
            assert name in inspect.signature(function).parameters


def test_what_is_on_by_default_has_an_option_that_turns_it_off():
    assert option_name(DreamSettings, "clip") == "--no-clip"
    assert option_name(DreamSettings, "step_size") == "--step-size"
    parser = Parser(prog="jaxdream")
    add_settings(parser, DreamSettings)
    assert read_settings(parser.parse_args(["--no-clip"]), DreamSettings).clip is False


def test_defaults_are_shown_as_they_are_typed():
    assert default_text(DreamSettings, "octave_scale") == "1.4"
    assert default_text(DreamSettings, "clip") == "yes"
    assert default_text(ZoomSettings, "shift") == "0 0"
    assert default_text(Compute, "memory") == "most of what is free"


def test_values_from_a_file_have_the_right_names_and_types():
    values = {"frames": 3, "zoom": 0.1, "rotate": 0.5, "shift": [1, 2.5], "easing": "in"}
    whole = {**values, "classic_warp": False}
    schema = msgspec.defstruct(
        "Zoom", json_fields(ZoomSettings), kw_only=True, forbid_unknown_fields=True
    )
    found = ZoomSettings(**msgspec.structs.asdict(convert(whole, schema)))
    assert found == ZoomSettings(
        frames=3, zoom=0.1, rotate=0.5, shift=(1.0, 2.5), easing="in", damping=0.0
    )
    for wrong, message in (
        (values, "object missing required field classic_warp"),
        ({**whole, "fps": 3}, "object contains unknown field fps"),
        ({**whole, "classic_warp": 1}, "classic_warp: expected bool, got int"),
        ({**whole, "easing": "none"}, "easing: invalid enum value 'none'"),
        ({**whole, "frames": True}, "frames: expected int, got bool"),
        ({**whole, "frames": 0}, "frames: expected int >= 1"),
        ({**whole, "shift": [1]}, "shift: expected array of length 2, got 1"),
    ):
        with pytest.raises(JaxdreamError, match=message):
            convert(wrong, schema)
