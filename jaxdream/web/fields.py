"""The form's fields, made from the settings: their help, range and default stand there."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import gradio as gr

from jaxdream.errors import JaxdreamError
from jaxdream.settings import Setting, Settings, default, default_text, describe

SettingsClass = TypeVar("SettingsClass", bound=Settings)


class Slider(NamedTuple):
    """The part of a setting's range that the page offers; a recipe may have a number beyond."""

    minimum: float
    maximum: float
    step: float


SLIDERS: Mapping[str, Slider] = {
    "steps": Slider(1, 100, 1),
    "octaves": Slider(1, 20, 1),
    "octave_scale": Slider(1.1, 2, 0.05),
    "step_size": Slider(0.1, 10, 0.1),
    "strength": Slider(0, 1, 0.05),
    "jitter": Slider(0, 128, 1),
    "smooth": Slider(0, 5, 0.1),
    "laplacian": Slider(0, 8, 1),
    "mask_feather": Slider(0, 100, 1),
    "frames": Slider(2, 200, 1),
    "zoom": Slider(-0.1, 0.1, 0.005),
    "rotate": Slider(-10, 10, 0.5),
    "damping": Slider(0, 1, 0.05),
    "frame_steps": Slider(1, 10, 1),
    "learning_rate": Slider(0.01, 0.2, 0.01),
}


class Fields(Generic[SettingsClass]):
    """The fields of a class's settings; made inside of the page, where they are to stand."""

    def __init__(
        self,
        cls: type[SettingsClass],
        names: Sequence[str],
        *,
        prefix: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """``prefix`` is put before the names in the page's ids; ``labels`` are those of a few."""
        self.cls = cls
        self.names = tuple(names)
        self.components = [
            component
            for name in names
            for component in _components(
                cls, name, (labels or {}).get(name, _label(name)), f"{prefix}{name}"
            )
        ]

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """The settings by name that the fields have.

        Args:
            values: of the components, as the browser sent them.

        Raises:
            JaxdreamError: a value cannot be read as what it should be.
        """
        found: dict[str, Any] = {}
        left = list(values)
        for name in self.names:
            known = describe(self.cls)[name]
            parts = [
                _read(name, known, left.pop(0), default(self.cls, name)) for _ in range(known.count)
            ]
            found[name] = parts[0] if known.count == 1 else tuple(parts)
        return found

    def show(self, settings: Settings) -> list[Any]:
        """What the components show for settings, in their order."""
        shown = []
        for name in self.names:
            value = getattr(settings, name)
            for part in value if isinstance(value, tuple) else (value,):
                shown.append(_shown(name, describe(self.cls)[name], part))
        return shown


def read_each(several: Sequence[Fields[Any]], values: Sequence[Any]) -> list[dict[str, Any]]:
    """The settings by name of each of several fields.

    Args:
        values: of the components of all of them, as the browser sent them.

    Raises:
        JaxdreamError: as ``Fields.read``.
    """
    found, begin = [], 0
    for fields in several:
        end = begin + len(fields.components)
        found.append(fields.read(values[begin:end]))
        begin = end
    return found


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _components(cls: type[Settings], name: str, label: str, element: str) -> list[Any]:
    known, value = describe(cls)[name], default(cls, name)
    help = known.help[0].upper() + known.help[1:] + "."
    if known.unit and known.unit not in known.help:
        help = f"{help[:-1]}, in {known.unit}."
    common: dict[str, Any] = {"label": label, "info": help, "elem_id": element, "interactive": True}
    if known.kind is bool:
        return [gr.Checkbox(value=value, **common)]
    if known.choices:
        choices: list[tuple[str, str]] = [(choice, choice) for choice in known.choices]
        if value is None:
            choices.insert(0, (default_text(cls, name), ""))
        return [gr.Dropdown(choices, value=value or "", **common)]
    if known.kind in (int, float):
        if known.count > 1:
            axes = ("to the right", "down")
            return [
                gr.Number(
                    part, **{**common, "label": f"{label} {axis}", "elem_id": f"{element}_{i}"}
                )
                for i, (part, axis) in enumerate(zip(value, axes, strict=True))
            ]
        if value is None:  # Gradio's field for numbers shows 0 where it is empty
            return [gr.Textbox("", placeholder=known.default_text or None, **common)]
        if name in SLIDERS:
            return [gr.Slider(*SLIDERS[name][:2], value=value, step=SLIDERS[name].step, **common)]
        return [gr.Number(value, **common)]
    return [gr.Textbox(value or "", placeholder=known.default_text or None, **common)]


def _read(name: str, known: Setting, value: Any, default: Any) -> Any:
    if value is None or value == "":
        return default
    if known.kind is bool or isinstance(value, bool):
        return value
    if known.kind is str:
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise JaxdreamError(f"{name} is {known.range_text}, not {str(value)[:40]!r}") from None
    # A browser has one kind of number. What is no whole number is refused with the range.
    return int(number) if known.kind is int and number.is_integer() else number


def _shown(name: str, known: Setting, value: Any) -> Any:
    if known.kind is str:
        return "" if value is None else value
    if name in SLIDERS and value is not None:
        low, high, _ = SLIDERS[name]
        return gr.update(value=value, minimum=min(low, value), maximum=max(high, value))
    return value
