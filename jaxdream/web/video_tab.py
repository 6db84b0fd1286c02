"""The tab that dreams a video with the look of the tab Dream."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from jaxdream.errors import JaxdreamError
from jaxdream.settings import ClipSettings, SourceSettings, VideoSettings, describe
from jaxdream.web.context import VIDEO_LONGEST, Context
from jaxdream.web.dream_tab import DreamTab
from jaxdream.web.fields import Fields, read_each
from jaxdream.web.panel import Panel, Updates, button_row, status

if TYPE_CHECKING:
    from jaxdream.web.videos import VideoOrder

_TIMES, _WHICH = ("start", "end"), ("every", "max_frames")
_MAIN = ("frame_steps",)  # of how frames follow each other; the rest is advanced
_ADVANCED = tuple(name for name in describe(VideoSettings) if name not in _MAIN)
_OF_DREAM = ("seed", "guide_size")  # what is taken of the tab Dream beside its look


class VideoTab:
    """The tab's components, and what happens when they are used."""

    def __init__(self, context: Context, dream: DreamTab) -> None:
        """Made inside of the page, where the tab is to stand; ``dream`` has the look."""
        self._context = context
        self._dream = dream
        gr.Markdown(
            "Each frame of the video is dreamed with the layer, the guide, the settings and the "
            "seed of the tab **Dream**, and goes on from the dream of the frame before. The sound "
            "is kept."
        )
        with gr.Row():
            with gr.Column():
                self.file = gr.File(
                    label="Video", type="filepath", file_types=["video", ".gif"], height=140,
                    elem_id="video_file",
                )  # fmt: skip
                self.note = gr.HTML(status(""), elem_id="video_note")
                self._fields()
            with gr.Column():
                buttons = button_row([
                    ("A few frames first", "secondary", "video_few"),
                    ("Dream the video", "primary", "video_run"),
                ])  # fmt: skip
                self.panel = Panel(context, "video", films=True)
                self.panel.begin = buttons
        self._wire(*buttons)

    def _fields(self) -> None:
        self.size = Fields(SourceSettings, ("size",), prefix="video_")
        self.size.components[0].placeholder = f"the video's own, {VIDEO_LONGEST} at most"
        with gr.Row():
            self.times = Fields(ClipSettings, _TIMES, prefix="video_")
        with gr.Row():
            self.which = Fields(ClipSettings, _WHICH, prefix="video_")
        self.main = Fields(VideoSettings, _MAIN, prefix="video_")
        with gr.Accordion("Advanced", open=False):
            self.advanced = Fields(VideoSettings, _ADVANCED, prefix="video_")

    @property
    def _own(self) -> tuple[Fields[Any], ...]:
        return self.size, self.times, self.which, self.main, self.advanced

    @property
    def _shared(self) -> tuple[Fields[Any], ...]:
        """Fields of the tab Dream beside its look."""
        return self._dream.source, self._dream.more

    @property
    def inputs(self) -> list[Any]:
        """All components that ``order`` reads, in its order."""
        fields = (*self._own, *self._shared)
        components = (each for one in fields for each in one.components)
        return [self.file, *self._dream.look.inputs, *components]

    def _wire(self, few: gr.Button, run: gr.Button) -> None:
        raw: dict[str, Any] = {
            "preprocess": False, "show_progress": "hidden", "api_visibility": "private",
            "concurrency_limit": None,
        }  # fmt: skip
        self.file.change(self._given, self.file, self.note, **raw)
        few.click(self._few, self.inputs, self.panel.outputs, **raw)
        run.click(self._run, self.inputs, self.panel.outputs, **raw)

    def order(self, values: tuple[Any, ...]) -> "VideoOrder":
        """What the fields ask for.

        Args:
            values: of the tab's inputs, as the browser sent them.

        Raises:
            JaxdreamError: a value that cannot be, or no uploaded file.
        """
        from jaxdream.web.uploads import uploaded
        from jaxdream.web.videos import VideoOrder

        file, *rest = values
        count = len(self._dream.look.inputs)
        layer, guide, settings = self._dream.look.read(rest[:count])
        read = read_each((*self._own, *self._shared), rest[count:])
        size, times, which, main, advanced, *shared = read
        of_dream = {name: each[name] for each in shared for name in _OF_DREAM if name in each}
        folder = self._context.folder
        return VideoOrder(
            upload=uploaded(file, folder), objective=str(layer), settings=settings,
            source=SourceSettings().replace(**of_dream | size),
            video=VideoSettings().replace(**main | advanced),
            clip=ClipSettings().replace(**times | which), guide=uploaded(guide, folder),
        )  # fmt: skip

    def _given(self, payload: Any) -> str:
        """A video was given: what it is."""
        from jaxdream.web.uploads import uploaded
        from jaxdream.web.videos import look_at_video

        try:
            upload = uploaded(payload, self._context.folder)
            return status("" if upload is None else look_at_video(upload))
        except JaxdreamError as error:
            return status(str(error), failed=True)

    def _few(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        def prepare(visitor):
            from jaxdream.web.videos import prepare_few

            del visitor
            return prepare_few(self._context, self.order(values))

        yield from self.panel.follow(request, prepare)

    def _run(self, request: gr.Request, *values: Any) -> Iterator[Updates]:
        def prepare(visitor):
            from jaxdream.web.videos import prepare_video

            return prepare_video(self._context, visitor, self.order(values))

        yield from self.panel.follow(request, prepare)
