"""What the commands share: lines to the user, starting JAX, and running with progress."""

import argparse
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdream.cli.input_files import check_decoding
from jaxdream.cli.own_network import is_own, load_own
from jaxdream.cli.start import raise_on_signals
from jaxdream.errors import JaxdreamError, JaxdreamWarning
from jaxdream.files.guard import FileGuard
from jaxdream.files.reading import as_line, printable
from jaxdream.files.writing import check_place
from jaxdream.images import picture_files
from jaxdream.images.noise import noise_picture
from jaxdream.images.picture_files import Picture
from jaxdream.images.pixels import parse_size
from jaxdream.images.seamless import check_sphere

if TYPE_CHECKING:
    from jaxdream.dream_state import DreamState
    from jaxdream.settings import Compute, SourceSettings


_LONG_COMPILING = 0.2  # seconds
_LINE_SECONDS = 60.0  # after which a line says how far it is, where no bar does


def say(line: str) -> None:
    """Tell the user something beside the result."""
    print(f"jaxdream: {as_line(line)}", file=sys.stderr, flush=True)


def report(line: str) -> None:
    """Tell the user a result."""
    print(printable(line), flush=True)


def input_names(inputs: Sequence[str], source: "SourceSettings") -> list[str]:
    """The pictures to dream: the files that are given, or what they begin from instead.

    Raises:
        JaxdreamError: neither is given, or both are.
    """
    if source.begin is not None:
        if inputs:
            raise JaxdreamError(
                f"--from {source.begin} takes the place of a picture: leave one out"
            )
        return [source.begin]
    if not inputs:
        raise JaxdreamError("name a picture to dream, or give --from noise")
    return list(inputs)


def read_or_make(
    path: str, source: "SourceSettings", memory: int | None, *, sphere: bool = False
) -> Picture:
    """What is dreamed from: the picture file, or noise; the rest is as of ``read``.

    Raises:
        JaxdreamError: a picture that cannot be read, or cannot be that of a sphere where it has to.
    """
    if source.begin is not None:
        picture = noise_picture(source.seed, source.size, sphere=sphere)
    else:
        picture = read(path, source.size, memory)
    if sphere:
        check_sphere((picture.pixels.shape[0], picture.pixels.shape[1]))
    return picture


def read(path: str, size: str | None, memory: int | None = None) -> Picture:
    """A picture file, at the size to dream at.

    Args:
        memory: bytes that this process may have, if there is a limit.
    """
    check_decoding(path, memory)
    picture = picture_files.read_picture(path)
    if size is None:
        return picture
    height, width, _ = picture.pixels.shape
    return picture_files.resize_picture(picture, parse_size(size, height, width))


def start_jax(device: str | None, memory: int | None = None) -> None:
    """Choose the platform and keep compiled programs, before JAX computes anything."""
    import jax

    from jaxdream.execution import compile_cache, malloc

    if memory is not None:
        # A limit on the process's memory can only hold if freed memory is given back.
        malloc.return_large_blocks()
    if device is not None:
        jax.config.update("jax_platforms", {"gpu": "cuda,rocm"}.get(device, device))
    try:
        jax.devices(device)
    except (RuntimeError, AssertionError):
        wanted = device or f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}"
        jax.config.update("jax_platforms", None)
        here = ", ".join(sorted({d.platform for d in jax.devices()}))
        raise JaxdreamError(f"no {wanted} here: this machine's JAX has {here}") from None
    if line := compile_cache.use(compile_cache.programs_folder()):
        say(line)
    raise_on_signals()


def load(options: argparse.Namespace, compute: "Compute", *, name: str | None = None):
    """The network that the options ask for; "auto" may download the one of 2015.

    Args:
        name: of the network, instead of that in the options; then it is one of jaxdream's.
    """
    from jaxdream.models.weights.load import load_model

    if name is None and is_own(options.model):
        model = load_own(options.model, options.weights)
        return model if compute.precision is None else model.with_precision(compute.precision)
    return load_model(
        options.model if name is None else name,
        weights=options.weights,
        precision=compute.precision or "float32",
        download=True,
        notify=say,
    )


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A second Ctrl-C does not lose what the first one kept."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class closing_uninterrupted(closing):
    """``closing`` that a second Ctrl-C does not stop."""

    def __exit__(self, *error: object) -> None:
        with uninterrupted():
            super().__exit__(*error)


@dataclass
class Running:
    """A command at work: its bar, the warnings it has shown, and whether it was interrupted."""

    name: str
    _update: Callable[[str, float], None]
    interrupted: bool = False
    _pending: list[warnings.WarningMessage] = field(default_factory=list)
    _shown: set[str] = field(default_factory=set)
    _octave: tuple[int, ...] = ()

    def show(self, text: str, done: float) -> None:
        """Show how far it is: in words, and as a share, 0..1."""
        self.flush_warnings()
        self._update(f"{self.name} {text}", done)

    def show_state(self, state: "DreamState", text: str = "", done: float | None = None) -> None:
        """Show a dream's state. It waits for it, so that an interrupted dream has one."""
        import numpy as np

        from jaxdream.execution import compile_cache

        value = float(np.mean(np.asarray(state.infos.value)))
        where = f"octave {state.octave + 1}/{state.octaves} step {state.step}/{state.steps}"
        self.show(f"{text}{where} value {value:.3g}", state.done if done is None else done)
        if self._octave != (state.octave, *state.array.shape):
            compile_cache.record()
            self._octave = (state.octave, *state.array.shape)

    def flush_warnings(self) -> None:
        """Show the warnings that came since the last time, each once."""
        while self._pending:
            warning = self._pending.pop(0)
            line = str(warning.message)
            if issubclass(warning.category, JaxdreamWarning) and line not in self._shown:
                say(line)
                self._shown.add(line)


def _give_back(seconds: float) -> None:
    """Return to the system what the compiler took for a program."""
    if seconds > _LONG_COMPILING:
        from jaxdream.execution import malloc

        malloc.trim()


@contextmanager
def _shown(description: str) -> Iterator[Callable[[str, float], None]]:
    """What shows how far a run is, in words and as a share: a bar, or lines where none can move."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(description).update
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(description, total=1)
        yield lambda text, done: progress.update(task, description=text, completed=done)


class _Lines:
    """A line as a run begins, one for its first step, one for each tenth of it, or each minute.

    What comes in several parts, such as an atlas, has these lines for each of its parts.
    """

    def __init__(self, description: str) -> None:
        self._done, self._tenth, self._at = 0.0, -1, time.monotonic()
        say(description)

    def update(self, text: str, done: float) -> None:
        tenth, now = int(10 * done + 1e-6), time.monotonic()
        # A share that is less belongs to the next part. Where it is not known it is always 0.
        if tenth > self._tenth or done < self._done or now > self._at + _LINE_SECONDS:
            say(f"{text}, {done:.0%}")
            self._tenth, self._at = tenth, now
        self._done = done


@contextmanager
def running(name: str) -> Iterator[Running]:
    """A bar on a terminal (else lines), warnings as lines, and Ctrl-C, for the work in the block.

    Ctrl-C ends the block, and sets ``interrupted``.
    """
    from jaxdream.execution import compile_cache
    from jaxdream.execution.compiling import compiled_programs

    name = printable(name)
    with (
        warnings.catch_warnings(record=True) as caught,
        compiled_programs(_give_back),
        _shown(f"{name} compiling") as update,
    ):
        warnings.simplefilter("always")
        run = Running(name, update, _pending=caught)
        try:
            yield run
        except KeyboardInterrupt:
            run.interrupted = True
        run.flush_warnings()
        compile_cache.record()


def file_guard(options: argparse.Namespace, reads: Iterable[str]) -> FileGuard:
    """A guard that lets what jaxdream wrote be replaced, and anything with --overwrite."""
    return FileGuard(reads, replace=options.overwrite or picture_files.is_own)


def output_path(given: str | None, default: Path) -> Path:
    """The path of an option for an output."""
    if given == "":
        raise JaxdreamError("--output is empty: name a file")
    return default if given is None else Path(given)


def beside(path: str, ending: str) -> Path:
    """The path of a result beside an input: its name without suffix, and then ``ending``."""
    if not Path(path).name:
        raise JaxdreamError(f"{path!r} is not the name of a file: name a picture")
    return Path(path).with_name(f"{Path(path).stem}{ending}")


def check_folder(folder: Path) -> None:
    """Make sure that a folder can be written into, or be made. Nothing is made.

    Raises:
        JaxdreamError: it cannot.
    """
    place = folder
    while not os.path.exists(place) and place != place.parent:
        place = place.parent
    if not os.path.isdir(place):
        raise JaxdreamError(f"{printable(place)} is a file: name a folder to write into")
    # A name in it, or the name of the folder that will be made.
    check_place(
        place / ".jaxdream" if place == folder else place / folder.relative_to(place).parts[0]
    )
