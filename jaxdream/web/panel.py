"""Where a tab shows what it makes: progress, the picture as it grows, and what comes of it."""

import html
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from jaxdream.errors import JaxdreamError
from jaxdream.web.context import Context
from jaxdream.web.jobs import Progress, Waiting
from jaxdream.web.visitors import Result, Visitor

if TYPE_CHECKING:
    from jaxdream.web.dreams import Prepared

_EVERY = 0.2  # seconds between two pictures that are sent, at least
_HEIGHT = 520  # pixels of a picture on the page

Updates = dict[Any, Any]


class Panel:
    """The result's place in a tab; made inside of the page, below the buttons that begin."""

    def __init__(self, context: Context, name: str, *, films: bool = False) -> None:
        """``name`` goes into the page's ids; with ``films`` results are films, not pictures."""
        self._context = context
        self._films = films
        self.begin: list[gr.Button] = []  # cannot be pressed while something is made
        self.stop = gr.Button("Stop", variant="stop", interactive=False, elem_id=f"{name}_stop")
        self.status = gr.HTML(status(""), elem_id=f"{name}_status")
        self.live = gr.Image(
            label="The dream", interactive=False, height=_HEIGHT, format="jpeg",
            buttons=["fullscreen"], elem_id=f"{name}_live",
        )  # fmt: skip
        self.after = self._after(name)
        with gr.Row():
            self.download = gr.DownloadButton(
                "Download", interactive=False, elem_id=f"{name}_download"
            )
            self.mask = gr.DownloadButton(
                "Download the mask", visible=False, elem_id=f"{name}_mask_download"
            )
        with gr.Accordion("As a command, as Python", open=False):
            self.command = text_to_copy(f"{name}_command")
            self.python = text_to_copy(f"{name}_python")
        self.stop.click(
            self._stop, None, None, queue=False, show_progress="hidden", api_visibility="private"
        )

    @property
    def outputs(self) -> list[Any]:
        """What ``follow`` changes."""
        return [
            *self.begin, self.stop, self.status, self.live, self.after, self.download, self.mask,
            self.command, self.python,
        ]  # fmt: skip

    def follow(
        self, request: gr.Request, prepare: "Callable[[Visitor], Prepared]"
    ) -> Iterator[Updates]:
        """Put an order into the queue and show it until its end.

        Args:
            prepare: checks the order; what is wrong with it is shown as a line.
        """
        yield self._busy(status("One moment …"))
        try:
            visitor = self._context.visitors.of(request.session_hash)
            prepared = prepare(visitor)
            job = self._context.queue.submit(visitor.name, prepared.run, prepared.cost)
            yield from self._watch(job, prepared)
        except JaxdreamError as error:
            yield self._idle(status(str(error), failed=True))
        except Exception:  # of a library, with a place in it that means nothing to a visitor
            yield self._idle(status("This went wrong inside of jaxdream.", failed=True))
            raise

    def _watch(self, job, prepared: "Prepared") -> Iterator[Updates]:
        last, sent = Progress("stopped before it began", 0.0), 0.0
        seen: Any = None
        for moment in self._context.queue.watch(job):
            if isinstance(moment, Waiting):
                yield {self.status: status(_waiting(moment))}
                continue
            last = moment
            updates: Updates = {self.status: status(moment.text, moment.done)}
            due = time.monotonic() - sent >= _EVERY
            if moment.shown is not None and moment.shown is not seen and due:
                updates |= {self.live: gr.update(value=moment.shown, visible=True)}
                updates |= {self.after: gr.update(visible=False)}
                seen, sent = moment.shown, time.monotonic()
            yield updates
        yield self._idle(status(_ended(last))) | self._results(last, prepared)

    def _results(self, last: Progress, prepared: "Prepared") -> Updates:
        """What the end shows."""
        if not isinstance(last.result, Result):
            return {} if last.shown is None else {self.live: last.shown}
        result = last.result
        if not self._films and prepared.before is None:  # there is nothing to compare it with
            picture: Updates = {self.live: gr.update(value=last.shown, visible=True)}
            picture |= {self.after: gr.update(visible=False)}
        else:
            value = str(result.path) if self._films else (prepared.before, last.shown)
            picture = {self.live: gr.update(visible=False)}
            picture |= {self.after: gr.update(value=value, visible=True)}
        mask = None if result.mask is None else str(result.mask)
        return picture | {
            self.download: gr.update(value=str(result.path), interactive=True),
            self.mask: gr.update(value=mask, visible=mask is not None),
            self.command: fenced(result.command),
            self.python: fenced(result.python),
        }

    def _after(self, name: str) -> Any:
        if self._films:
            return gr.Video(
                label="The film", interactive=False, visible=False, autoplay=True, loop=True,
                height=_HEIGHT, elem_id=f"{name}_film",
            )  # fmt: skip
        return gr.ImageSlider(
            label="Before and after: move the line", interactive=False, visible=False,
            format="jpeg", max_height=_HEIGHT, buttons=["fullscreen"], elem_id=f"{name}_after",
        )  # fmt: skip

    def _busy(self, line: str) -> Updates:
        pressed = {button: gr.update(interactive=False) for button in self.begin}
        return pressed | {self.stop: gr.update(interactive=True), self.status: line}

    def _idle(self, line: str) -> Updates:
        pressed = {button: gr.update(interactive=True) for button in self.begin}
        return pressed | {self.stop: gr.update(interactive=False), self.status: line}

    def _stop(self, request: gr.Request) -> None:
        self._context.queue.stop(self._context.visitors.of(request.session_hash).name)


def text_to_copy(element: str) -> gr.Markdown:
    """The place of a text with a button that copies it; its value is ``fenced``."""
    return gr.Markdown("", elem_id=element, container=False)


def fenced(text: str) -> str:
    """A command or a program as Markdown shows it, letter by letter."""
    fence = "`" * (1 + max([2, *map(len, re.findall("`+", text))]))
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def status(text: str, done: float | None = None, *, failed: bool = False) -> str:
    """A line about the state of things as HTML, with a bar where a share (0..1) is done."""
    # A sentence begins with a capital, a file's name as it is.
    is_word = text.partition(" ")[0].rstrip(":,").isalpha()
    line = html.escape(text[:1].upper() + text[1:] if is_word else text)
    if done is not None:  # read aloud only when asked for: it changes all the time
        return f'<p>{line}</p><progress value="{done:.4f}" max="1">{done:.0%}</progress>'
    role = "alert" if failed else "status"
    kind = ' class="failed"' if failed else ""
    return f'<p role="{role}"{kind}>{line}</p>'


def _waiting(moment: Waiting) -> str:
    others = "1 dream is" if moment.ahead == 1 else f"{moment.ahead} dreams are"
    if moment.seconds is None:
        return f"Waiting: {others} before yours"
    return f"Waiting: {others} before yours, about {time_text(moment.seconds)}"


def time_text(seconds: float) -> str:
    """A time as a visitor reads it."""
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def _ended(last: Progress) -> str:
    return f"{last.text}: {last.result.caption}" if isinstance(last.result, Result) else last.text


def button_row(labels: Sequence[tuple[str, str, str]]) -> list[gr.Button]:
    """Buttons beside each other, from label, variant and id."""
    with gr.Row():
        return [
            gr.Button(label, variant=variant, elem_id=element)  # pyright: ignore[reportArgumentType]
            for label, variant, element in labels
        ]
