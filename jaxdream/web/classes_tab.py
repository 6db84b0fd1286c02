"""The tab that shows what a class or a channel looks like: pictures from noise."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from jaxdream.errors import JaxdreamError
from jaxdream.settings import SourceSettings, VisualizeSettings, describe
from jaxdream.web.context import Context
from jaxdream.web.fields import Fields
from jaxdream.web.panel import Panel, Updates, status

if TYPE_CHECKING:
    from jaxdream.web.classes import Found, Order

_SIZE = "224"  # pixels, unless the visitor asks for another
_MOST_STEPS = 1000  # that the slider goes to
_MOST = 4  # pictures of one thing
_MAIN = ("steps",)  # what is beside size and seed; the rest is advanced
# Of photographs, from which nothing begins here; or of larger pictures than the page makes at once.
_NOT_HERE = ("parametrization", "keep", "keep_weight")
_ADVANCED = tuple(
    name
    for name, known in describe(VisualizeSettings).items()
    if known.option and name not in (*_MAIN, *_NOT_HERE)
)


class ClassesTab:
    """The tab's components, and what happens when they are used."""

    def __init__(self, context: Context) -> None:
        """Made inside of the page, where the tab is to stand."""
        self._context = context
        with gr.Row():
            with gr.Column():
                self._class()
                self._channel()
                self._settings()
            with gr.Column():
                self.panel = Panel(context, "classes")
                self.panel.begin = [self.class_run, self.channel_run]
        self._wire()

    def _class(self) -> None:
        self.search = gr.Textbox(
            label="Search a class by its name", placeholder="dog", elem_id="class_search"
        )
        self.note = gr.HTML(status("One moment …"), elem_id="class_note")
        self.choice = gr.Radio([], label="Class", elem_id="class_choice")
        self.class_run = gr.Button("Make a picture of it", variant="primary", elem_id="class_run")

    def _channel(self) -> None:
        gr.Markdown("Or a channel of a layer:")
        with gr.Row():
            self.layer = gr.Dropdown(
                [], allow_custom_value=True, label="Layer", elem_id="channel_layer",
                info="With the number of its channels.",
            )  # fmt: skip
            self.channels = gr.Textbox(
                "0-3", label="Channels", elem_id="channel_numbers",
                info="Such as 12, 0-3 or 3,7; if empty, the layer as a whole.",
            )  # fmt: skip
        self.channel_run = gr.Button(
            "Make pictures of them", variant="primary", elem_id="channel_run"
        )

    def _settings(self) -> None:
        with gr.Accordion("Settings", open=True):
            with gr.Row():
                self.main = Fields(VisualizeSettings, _MAIN, prefix="class_")
                self.source = Fields(SourceSettings, ("size", "seed"), prefix="class_")
                self.count = gr.Slider(
                    1, _MOST, value=1, step=1, label="Pictures", elem_id="class_count",
                    info="How many of one class or channel.",
                )  # fmt: skip
            with gr.Accordion("Advanced", open=False):
                self.advanced = Fields(VisualizeSettings, _ADVANCED, prefix="class_")
        self.main.components[0].maximum = min(_MOST_STEPS, self._context.limits.total_steps)
        size = self.source.components[0]
        size.value, size.info = _SIZE, "Of each picture: a side, or width and height, in pixels."

    @property
    def inputs(self) -> list[Any]:
        """All components that ``order`` reads, in its order."""
        return [
            self.search, self.choice, self.layer, self.channels, self.count, *self.main.components,
            *self.source.components, *self.advanced.components,
        ]  # fmt: skip

    @property
    def loaded(self) -> list[Any]:
        """What ``load`` changes."""
        return [self.note, self.choice, self.layer]

    def _wire(self) -> None:
        raw: dict[str, Any] = {
            "preprocess": False, "show_progress": "hidden", "api_visibility": "private",
            "concurrency_limit": None,
        }  # fmt: skip
        self.search.change(
            self._search, self.search, [self.note, self.choice], trigger_mode="always_last", **raw
        )
        self.class_run.click(self._make_class, self.inputs, self.panel.outputs, **raw)
        self.channel_run.click(self._make_channels, self.inputs, self.panel.outputs, **raw)

    def load(self) -> Updates:
        """What depends on the network, when it has been read."""
        model = self._context.model()
        infos = sorted(model.layers(), key=lambda info: info.name not in model.graph.good_layers)
        layers = [(f"{info.name} ({info.channels})", info.name) for info in infos]
        chosen = {self.layer: gr.update(choices=layers, value=model.default_layer)}
        return self._search("") | chosen

    def order(self, values: tuple[Any, ...], *, of_class: bool) -> "Order":
        """What the fields ask for.

        Args:
            values: of the tab's inputs, as the browser sent them.
            of_class: whether a class is wanted, and not channels.

        Raises:
            JaxdreamError: a value that cannot be.
        """
        from jaxdream.web.classes import Order

        search, choice, layer, channels, count, *rest = values
        changes: list[dict[str, Any]] = []
        for fields in (self.main, self.source, self.advanced):
            own, rest = rest[: len(fields.components)], rest[len(fields.components) :]
            changes.append(fields.read(own))
        main, source, advanced = changes
        return Order(
            class_text=str(choice or search or "") if of_class else None,
            layer=str(layer or ""),
            channels=str(channels or ""),
            count=_count(count),
            settings=VisualizeSettings().replace(**main | advanced),
            source=SourceSettings().replace(**source),
        )

    def _make_class(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        yield from self._follow(request, values, of_class=True)

    def _make_channels(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        yield from self._follow(request, values, of_class=False)

    def _follow(
        self, request: gr.Request, values: tuple[Any, ...], *, of_class: bool
    ) -> Iterator[Updates]:
        def prepare(visitor):
            from jaxdream.web.classes import prepare_classes

            return prepare_classes(self._context, visitor, self.order(values, of_class=of_class))

        return self.panel.follow(request, prepare)

    def _search(self, word: Any) -> Updates:
        """The classes that have a word in their names; the first is chosen."""
        from jaxdream.web.classes import search_classes

        text = str(word or "")
        try:
            found: Found = search_classes(self._context.model(), text)
        except JaxdreamError as error:
            return {self.note: status(str(error)), self.choice: gr.update(choices=[], value=None)}
        first = found.choices[0][1] if text.strip() else None
        return {
            self.note: status(found.text),
            self.choice: gr.update(choices=found.choices, value=first),
        }


def _count(value: Any) -> int:
    if value not in range(1, _MOST + 1):  # a browser has one kind of number: 2.0 is in it
        raise JaxdreamError(f"pictures: a whole number from 1 to {_MOST}, not {str(value)[:40]!r}")
    return int(value)
