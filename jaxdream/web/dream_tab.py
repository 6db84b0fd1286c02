"""The tab that dreams a picture: the picture, a look, its settings, and the dream."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from jaxdream.errors import JaxdreamError
from jaxdream.settings import DreamSettings, SourceSettings, describe
from jaxdream.settings.looks import LOOKS
from jaxdream.web.context import Context
from jaxdream.web.fields import Fields
from jaxdream.web.panel import Panel, Updates, button_row, status

if TYPE_CHECKING:
    from jaxdream.recipe import Recipe
    from jaxdream.web.dreams import Order

PICTURES = Path(__file__).parent / "pictures"
_SIZE = "768"  # pixels, unless the visitor asks for another
_SMALL = "320"
_SEEDS = 10**6  # that another seed is drawn from
# What is beside the picture's own fields; the rest is advanced.
_MAIN = ("octaves", "steps", "step_size", "strength")
_MASK = ("mask_invert", "mask_feather")
_ADVANCED = tuple(
    name for name, known in describe(DreamSettings).items() if known.option and name not in _MAIN
)
_MORE = ("begin", "make_tile", "guide_size")


class Look(NamedTuple):
    """The components that say how to dream; the tabs of films use them too."""

    layer: gr.Dropdown
    guide: gr.Image
    main: Fields[DreamSettings]
    advanced: Fields[DreamSettings]

    @property
    def inputs(self) -> list[Any]:
        return [self.layer, self.guide, *self.main.components, *self.advanced.components]

    def read(self, values: list[Any]) -> tuple[Any, Any, DreamSettings]:
        """The layer or objective, the guide as it was sent, and the settings.

        Args:
            values: of ``inputs``, as the browser sent them.

        Raises:
            JaxdreamError: a setting out of range.
        """
        layer, guide, *rest = values
        first = len(self.main.components)
        changes = self.main.read(rest[:first]) | self.advanced.read(rest[first:])
        return layer or "", guide, DreamSettings().replace(**changes)


class DreamTab:
    """The tab's components, and what happens when they are used."""

    def __init__(self, context: Context) -> None:
        """Made inside of the page, where the tab is to stand."""
        self._context = context
        with gr.Row():
            with gr.Column():
                self.picture = gr.Image(
                    label="Picture: drop, paste or take one", type="filepath", height=360,
                    sources=["upload", "clipboard", "webcam"], elem_id="picture",
                )  # fmt: skip
                self.note = gr.HTML(status("", None), elem_id="picture_note")
                self.original = gr.Button(
                    "Take the picture it was dreamed from", visible=False, size="sm",
                    elem_id="original",
                )  # fmt: skip
                gr.Markdown("**No picture at hand?** Click one:")
                self.examples = _examples()
                with gr.Accordion("Where to dream: paint over the picture", open=False):
                    self.editor = _mask_editor()
                    self.mask_fields = Fields(SourceSettings, _MASK)
                gr.Markdown("**Looks.** Click one:")
                self.gallery = _look_pictures()
                self.look_name = gr.Dropdown(
                    [(f"{name}: {look.help}", name) for name, look in LOOKS.items()],
                    value=next(iter(LOOKS)), label="Look", elem_id="look",
                )  # fmt: skip
            with gr.Column():
                buttons = button_row([
                    ("Dream", "primary", "dream"), ("Small first", "secondary", "small"),
                    ("Another seed", "secondary", "another"),
                ])  # fmt: skip
                self.panel = Panel(context, "dream")
                self.panel.begin = buttons
        self._settings()
        self._wire(*buttons)

    def _settings(self) -> None:
        """The fields below: what is maximised, and how."""
        with gr.Accordion("Settings", open=True):
            with gr.Row():
                layer = gr.Dropdown(
                    [], allow_custom_value=True, label="Layer",
                    info="What to dream: a layer of the network, or an objective as text, such as "
                    "3b + 4c:12.", elem_id="layer",
                )  # fmt: skip
                source = Fields(SourceSettings, ("size", "seed"))
            source.components[0].value = _SIZE
            with gr.Row():
                main = Fields(DreamSettings, _MAIN)
            self.show_layers = gr.Button(
                "Show what each layer does to this picture", size="sm", elem_id="show_layers"
            )
            self.layer_gallery = gr.Gallery(
                label="Layers: click one to take it", visible=False, columns=6, height=300,
                allow_preview=False, elem_id="layers",
            )  # fmt: skip
            with gr.Accordion("Advanced", open=False):
                guide = gr.Image(
                    label="Guide: a picture whose features the layer dreams", type="filepath",
                    sources=["upload", "clipboard"], height=200, elem_id="guide",
                )  # fmt: skip
                advanced = Fields(DreamSettings, _ADVANCED)
                self.more = Fields(SourceSettings, _MORE)
        self.source = source
        self.look = Look(layer, guide, main, advanced)

    @property
    def inputs(self) -> list[Any]:
        """All components that ``order`` reads, in its order."""
        return [
            self.picture, self.editor, *self.look.inputs, *self.source.components,
            *self.more.components, *self.mask_fields.components,
        ]  # fmt: skip

    @property
    def recipe_outputs(self) -> list[Any]:
        """All components that ``loaded`` changes."""
        return [*self.look.inputs, *self.source.components, *self.more.components]

    def _wire(self, dream: gr.Button, small: gr.Button, another: gr.Button) -> None:
        raw: dict[str, Any] = {
            "preprocess": False, "show_progress": "hidden", "api_visibility": "private",
            "concurrency_limit": None,
        }  # fmt: skip
        seed = self.source.components[1]
        outputs = [*self.panel.outputs, seed]
        dream.click(self._dream, self.inputs, outputs, **raw)
        small.click(self._dream_small, self.inputs, outputs, **raw)
        another.click(self._dream_anew, self.inputs, outputs, **raw)
        given = [self.note, self.original, self.editor, *self.recipe_outputs]
        self.picture.change(self._given, self.picture, given, **raw)
        self.original.click(self._take_original, None, self.picture, **raw)
        look = [self.look.layer, *self.look.main.components, *self.look.advanced.components]
        self.look_name.input(self._use_look, self.look_name, look, **raw)
        self.gallery.select(self._click_look, None, [self.look_name, *look], **raw)
        layers = [self.show_layers, self.layer_gallery, self.note]
        self.show_layers.click(self._show_layers, [self.picture, self.look.layer], layers, **raw)
        self.layer_gallery.select(self._click_layer, None, self.look.layer, **raw)
        self.examples.select(self._click_example, None, self.picture, **raw)

    def load(self) -> Updates:
        """What depends on the network, when it has been read."""
        model = self._context.model()
        good = list(model.graph.good_layers)
        others = [info.name for info in model.layers() if info.name not in good]
        choices = [(f"{name} (looks good)", name) for name in good]
        choices += [(name, name) for name in others]
        return {self.look.layer: gr.update(choices=choices, value=model.default_layer)}

    def order(self, values: tuple[Any, ...], *, size: str | None = None) -> "Order":
        """What the fields ask for.

        Args:
            values: of the tab's inputs, as the browser sent them.
            size: instead of the field's.

        Raises:
            JaxdreamError: a value that cannot be, or no uploaded file.
        """
        from jaxdream.web.dreams import Order
        from jaxdream.web.uploads import Painting, uploaded

        picture, painting, *rest = values
        count = len(self.look.inputs)
        layer, guide, settings = self.look.read(rest[:count])
        rest = rest[count:]
        changes: dict[str, Any] = {}
        for fields in (self.source, self.more, self.mask_fields):
            own, rest = rest[: len(fields.components)], rest[len(fields.components) :]
            changes |= fields.read(own)
        folder = self._context.folder
        painted = Painting.sent(painting, self.editor.blob_storage, folder)
        if painted is None:
            changes |= {"mask_invert": False, "mask_feather": 0.0}
        source = SourceSettings().replace(**changes | ({} if size is None else {"size": size}))
        return Order(
            picture=uploaded(picture, folder), objective=str(layer), settings=settings,
            source=source, guide=uploaded(guide, folder), painting=painted,
        )  # fmt: skip

    def _dream(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        yield from self._follow(request, values)

    def _dream_small(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        yield from self._follow(request, values, size=_SMALL)

    def _dream_anew(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        seed = random.randrange(_SEEDS)
        at = [component is self.source.components[1] for component in self.inputs].index(True)
        yield {self.source.components[1]: seed}
        yield from self._follow(request, (*values[:at], seed, *values[at + 1 :]))

    def _follow(
        self, request: gr.Request, values: tuple[Any, ...], *, size: str | None = None
    ) -> Iterator[Updates]:
        def prepare(visitor):
            from jaxdream.web.dreams import prepare

            return prepare(self._context, visitor, self.order(values, size=size))

        return self.panel.follow(request, prepare)

    def _given(self, request: gr.Request, picture: Any) -> Updates:
        """A picture was given: what it is, and the settings that are in it, if jaxdream made it."""
        from jaxdream.web.given import look_at

        nothing = {self.editor: None, self.original: gr.update(visible=False)}
        if picture is None:
            return {self.note: status("")} | nothing
        try:
            visitor = self._context.visitors.of(request.session_hash)
            given = look_at(self._context, visitor, picture)
        except JaxdreamError as error:
            return {self.note: status(str(error), failed=True)} | nothing
        updates: Updates = {
            self.note: status(given.text),
            self.editor: given.preview,
            self.original: gr.update(visible=visitor.original is not None),
        }
        if given.recipe is not None:
            updates |= self.loaded(given.recipe)
        return updates

    def _take_original(self, request: gr.Request) -> str | None:
        original = self._context.visitors.of(request.session_hash).original
        return None if original is None else str(original)

    def loaded(self, recipe: "Recipe") -> Updates:
        """A recipe's settings, in the fields."""
        updates: Updates = {self.look.layer: recipe.objective, self.look.guide: None}
        size = f"{recipe.size[1]}x{recipe.size[0]}"
        for fields, values in (
            (self.look.main, recipe.settings), (self.look.advanced, recipe.settings),
            (self.source, recipe.source.replace(size=size)), (self.more, recipe.source),
        ):  # fmt: skip
            updates |= dict(zip(fields.components, fields.show(values), strict=True))
        return updates

    def _use_look(self, name: Any) -> Updates:
        from jaxdream.looks import use_look

        try:
            settings, objective = use_look(self._context.model(), str(name))
        except JaxdreamError:  # no name that the page has given
            return {}
        updates: Updates = {self.look.layer: objective}
        for fields in (self.look.main, self.look.advanced):
            updates |= dict(zip(fields.components, fields.show(settings), strict=True))
        return updates

    def _click_look(self, event: gr.SelectData) -> Updates:
        name = list(LOOKS)[event.index]
        return {self.look_name: name} | self._use_look(name)

    def _click_layer(self, event: gr.SelectData) -> Updates:
        return {self.look.layer: self._context.model().graph.good_layers[event.index]}

    def _click_example(self, event: gr.SelectData) -> str:
        return str(example_pictures()[event.index])

    def _show_layers(self, request: gr.Request, picture: Any, layer: Any) -> Iterator[Updates]:
        from jaxdream.web.layers import prepare_layers

        del layer
        yield {self.show_layers: gr.update(interactive=False)}
        try:
            visitor = self._context.visitors.of(request.session_hash)
            prepared = prepare_layers(self._context, picture)
            job = self._context.queue.submit(visitor.name, prepared.run, prepared.cost)
            for moment in self._context.queue.watch(job):
                if getattr(moment, "shown", None):
                    yield {self.layer_gallery: gr.update(value=moment.shown, visible=True)}  # pyright: ignore[reportAttributeAccessIssue]
        except JaxdreamError as error:
            yield {self.note: status(str(error), failed=True)}
        yield {self.show_layers: gr.update(interactive=True)}


def example_pictures() -> list[Path]:
    """The photographs to begin with."""
    return sorted(PICTURES.glob("example_*.jpg"))


def _examples() -> gr.Gallery:
    return gr.Gallery(
        [str(path) for path in example_pictures()], label="Examples", show_label=False,
        columns=3, height="auto", allow_preview=False, interactive=False, object_fit="cover",
        buttons=[], elem_id="examples",
    )  # fmt: skip


def _look_pictures() -> gr.Gallery:
    shown = [(str(PICTURES / f"look_{name}.jpg"), name) for name in LOOKS]
    return gr.Gallery(
        shown, label="Looks", show_label=False, columns=5, height="auto", allow_preview=False,
        interactive=False, object_fit="cover", buttons=[], elem_id="looks",
    )  # fmt: skip


def _mask_editor() -> gr.ImageEditor:
    return gr.ImageEditor(
        label="Paint where to dream; nothing painted means everywhere", type="filepath",
        sources=(), transforms=(), layers=False, height=360, buttons=[],
        brush=gr.Brush(colors=["#ff3b6b"], color_mode="fixed", default_size=40),
        elem_id="mask",
    )  # fmt: skip
