"""The tab that dreams a zoom into the picture of the tab Dream."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from jaxdream.settings import ZoomFilmSettings, ZoomSettings, describe
from jaxdream.web.context import Context
from jaxdream.web.dream_tab import DreamTab
from jaxdream.web.fields import Fields, read_each
from jaxdream.web.panel import Panel, Updates, button_row

_FRAMES = 40  # unless the visitor asks for more
_MOST_FRAMES = 1000  # that the slider goes to
_MAIN, _SHIFT = ("frames", "zoom", "rotate"), ("shift",)  # the rest is advanced
_ADVANCED = tuple(name for name in describe(ZoomSettings) if name not in _MAIN + _SHIFT)
_FILM = tuple(describe(ZoomFilmSettings))


class ZoomTab:
    """The tab's components, and what happens when they are used."""

    def __init__(self, context: Context, dream: DreamTab) -> None:
        """Made inside of the page, where the tab is to stand; ``dream`` has the picture."""
        self._context = context
        self._dream = dream
        gr.Markdown(
            "The film begins with the dream of the picture in the tab **Dream**, with the layer, "
            "the size, the settings and the mask that are there; each further frame is the dream "
            "of the one before, enlarged a little."
        )
        with gr.Row():
            with gr.Column():
                self.main = Fields(ZoomSettings, _MAIN, prefix="zoom_")
                with gr.Row():
                    self.shift = Fields(ZoomSettings, _SHIFT, prefix="zoom_")
                with gr.Row():
                    self.film = Fields(
                        ZoomFilmSettings, _FILM, prefix="zoom_", labels={"fps": "FPS"}
                    )
                with gr.Accordion("Advanced", open=False):
                    self.advanced = Fields(ZoomSettings, _ADVANCED, prefix="zoom_")
            with gr.Column():
                buttons = button_row([("Dream the zoom", "primary", "zoom_run")])
                self.panel = Panel(context, "zoom", films=True)
                self.panel.begin = buttons
        frames = self.main.components[0]
        frames.minimum, frames.maximum = 1, min(_MOST_FRAMES, context.limits.frames)
        frames.value, frames.info = min(_FRAMES, context.limits.frames), "Of the whole film."
        buttons[0].click(
            self._run, self.inputs, self.panel.outputs, preprocess=False, show_progress="hidden",
            api_visibility="private", concurrency_limit=None,
        )  # fmt: skip

    @property
    def inputs(self) -> list[Any]:
        """All components that are read, in the order in which they are."""
        own = (each for fields in self._own for each in fields.components)
        return [*self._dream.inputs, *own]

    @property
    def _own(self) -> tuple[Fields[Any], ...]:
        return self.main, self.shift, self.advanced, self.film

    def settings(self, values: tuple[Any, ...]) -> tuple[ZoomSettings, ZoomFilmSettings]:
        """What the tab's own fields ask for.

        Args:
            values: of these fields, as the browser sent them.

        Raises:
            JaxdreamError: a value that cannot be.
        """
        main, shift, advanced, film = read_each(self._own, values)
        zoom = ZoomSettings().replace(**main | shift | advanced)
        return zoom, ZoomFilmSettings().replace(**film)

    def _run(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        count = len(self._dream.inputs)

        def prepare(visitor):
            from jaxdream.web.zooms import prepare_zoom

            zoom, film = self.settings(values[count:])
            return prepare_zoom(
                self._context, visitor, self._dream.order(values[:count]), zoom, film
            )

        yield from self.panel.follow(request, prepare)
