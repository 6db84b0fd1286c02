"""The tab with everything that a visitor has made since the page was opened."""

from typing import Any

import gradio as gr

from jaxdream.errors import JaxdreamError
from jaxdream.web.context import Context
from jaxdream.web.dream_tab import DreamTab
from jaxdream.web.panel import Updates, fenced, status, text_to_copy
from jaxdream.web.visitors import Result, Visitor

_EMPTY = "Nothing is made yet. What you make stays here until you close the page."


class PicturesTab:
    """The tab's components, and what happens when they are used."""

    def __init__(self, context: Context, dream: DreamTab, tab: gr.Tab) -> None:
        """Made inside of ``tab``; a picture's settings and the picture itself go to ``dream``."""
        self._context, self._dream = context, dream
        self.note = gr.HTML(status(_EMPTY), elem_id="mine_note")
        self.gallery = gr.Gallery(
            label="My pictures", columns=4, allow_preview=False, interactive=False,
            object_fit="contain", buttons=[], elem_id="mine",
        )  # fmt: skip
        with gr.Row():
            self.download = gr.DownloadButton("Download", interactive=False, elem_id="mine_file")
            self.settings = gr.Button("Load its settings", interactive=False, elem_id="mine_load")
            self.further = gr.Button("Dream it further", interactive=False, elem_id="mine_further")
        self.command = text_to_copy("mine_command")
        self.python = text_to_copy("mine_python")
        self._wire(tab)

    def _wire(self, tab: gr.Tab) -> None:
        raw: dict[str, Any] = {
            "preprocess": False, "show_progress": "hidden", "api_visibility": "private",
            "concurrency_limit": None,
        }  # fmt: skip
        shown = [self.note, self.download, self.settings, self.further, self.command, self.python]
        tab.select(self._open, None, [self.gallery, self.note], **raw)
        self.gallery.select(self._choose, None, shown, **raw)
        self.settings.click(self._load, None, [self.note, *self._dream.recipe_outputs], **raw)
        self.further.click(self._take, None, [self.note, self._dream.picture], **raw)

    def _open(self, request: gr.Request) -> Updates:
        visitor = self._visitor(request)
        shown = [(str(result.path), result.caption) for result in visitor.results]
        line = "Click one to download it or to load its settings." if shown else _EMPTY
        return {self.gallery: shown, self.note: status(line)}

    def _choose(self, request: gr.Request, event: gr.SelectData) -> Updates:
        visitor = self._visitor(request)
        value = event.value if isinstance(event.value, dict) else {}
        file = value.get("image") or value.get("video") or {}
        visitor.chosen = next(
            (result for result in visitor.results if str(result.path) == file.get("path")), None
        )
        if visitor.chosen is None:
            return {self.note: status("It is not there any more.", failed=True)}
        result = visitor.chosen
        is_picture = gr.update(interactive=result.is_picture)
        return {
            self.note: status(f"{result.path.name}, {result.caption}"),
            self.download: gr.update(value=str(result.path), interactive=True),
            self.settings: is_picture,
            self.further: is_picture,
            self.command: fenced(result.command),
            self.python: fenced(result.python),
        }

    def _load(self, request: gr.Request) -> Updates:
        from jaxdream.recipe import read_recipe

        result = self._visitor(request).chosen
        if result is None:
            return {}
        try:
            recipe = read_recipe(result.path)
        except JaxdreamError as error:
            line = str(error).replace(str(result.path), result.path.name)
            return {self.note: status(line, failed=True)}
        loaded = status("Its settings are loaded: see the tab Dream.")
        return {self.note: loaded} | self._dream.loaded(recipe)

    def _take(self, request: gr.Request) -> Updates:
        result: Result | None = self._visitor(request).chosen
        if result is None:
            return {}
        line = status("It is the picture in the tab Dream now.")
        return {self.note: line, self._dream.picture: str(result.path)}

    def _visitor(self, request: gr.Request) -> Visitor:
        return self._context.visitors.of(request.session_hash)
