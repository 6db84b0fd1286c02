"""What the commands share: reading, checking where they write, starting JAX, showing progress."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdream.errors import JaxdreamError
from jaxdream.images import picture_files
from jaxdream.images.atomic import make_folder
from jaxdream.images.picture_files import Picture

if TYPE_CHECKING:
    from jaxdream.execution.distributed import Process
    from jaxdream.execution.sharding import Sharding


def say(line: str) -> None:
    print(f"jaxdream: {line}", file=sys.stderr, flush=True)


def read(path: str, size: str | None) -> Picture:
    picture = picture_files.read_picture(path)
    if size is None:
        return picture
    height, width, _ = picture.pixels.shape
    return picture_files.resize_picture(picture, picture_files.parse_size(size, height, width))


def outputs(inputs: list[str], output: str | None) -> list[Path]:
    """Where each dream goes; checked before anything is computed."""
    names = [f"{Path(path).stem}_dream.png" for path in inputs]
    if output is None:
        targets = [Path(path).with_name(name) for path, name in zip(inputs, names, strict=True)]
    elif len(inputs) > 1 or Path(output).is_dir() or not Path(output).suffix:
        targets = [make_folder(output) / name for name in names]
    else:
        targets = [Path(output)]
    for target in targets:
        if targets.count(target) > 1:
            raise JaxdreamError(f"two pictures would be written to {target}: dream them apart")
        check_target(target, inputs)
    return targets


def check_target(target: Path, inputs: list[str]) -> None:
    picture_files.check_writable(target)
    check_not_input(target, inputs)
    if not picture_files.keeps_recipe(target):
        say(f"{target}: this format keeps no recipe, so `jaxdream replay` will not know it")


def check_not_input(target: Path, inputs: list[str]) -> None:
    for path in inputs:
        if target.exists() and Path(path).exists() and target.samefile(path):
            raise JaxdreamError(f"{target} is the input: write to another file")


def start_jax(device: str | None) -> None:
    """Choose the platform and keep compiled programs, before JAX computes anything."""
    import jax

    from jaxdream.models.weights.load import cache_dir

    if device is not None:
        jax.config.update("jax_platforms", {"gpu": "cuda,rocm"}.get(device, device))
    try:
        jax.devices()
    except RuntimeError:
        jax.config.update("jax_platforms", None)
        here = ", ".join(sorted({d.platform for d in jax.devices()}))
        raise JaxdreamError(f"no {device} here: this machine's JAX has {here}") from None
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@contextmanager
def meeting(options: argparse.Namespace) -> "Iterator[Process]":
    """Which process this is, without options the only one; to be entered before ``start_jax``."""
    from jaxdream.execution.distributed import Process, check, meeting

    given = (options.coordinator, options.processes, options.process_id)
    check(*given, options.wait)
    if not options.distributed and options.coordinator is None:
        yield Process()
        return
    say("waiting for the other processes")
    with meeting(*given, timeout=options.wait) as process:
        yield process


def sharding(shard: str | None) -> "Sharding | None":
    """What ``--shard`` asks for; None if there is one device only."""
    from jaxdream.execution.sharding import shard_pictures, shard_rows

    if shard is None:
        return None
    sharding = shard_rows() if shard == "rows" else shard_pictures()
    if sharding.count > 1:
        return sharding
    if shard == "rows":
        say("there is one device here, so no rows are shared out")
    return None


def platform() -> tuple[str, str]:
    import jax

    return jax.__version__, jax.default_backend()


def load(name: str, weights: str | None, precision):
    from jaxdream.models.weights.load import load_model

    return load_model(name, weights=weights, precision=precision, notify=say)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A second Ctrl-C does not lose what the first one kept."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def bar(name: str):
    """A bar on a terminal, nothing elsewhere.

    Gives a function of a text, the share done, 0..1, and warnings, each of which is said once.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=1)
        heard = set()

        def show(text: str, done: float, said: list) -> None:
            while said:
                line = str(said.pop(0).message)
                if line not in heard:
                    say(line)
                heard.add(line)
            progress.update(task, description=f"{name} {text}", completed=done)

        yield show


@contextmanager
def progress(name: str, *, frames: int = 1):
    """The bar of a dream; gives a function of the state and the warnings.

    It waits for each state, so that an interrupted dream has one that is finished. Of several
    frames, it is also given the number of the state's, from 0.
    """
    with bar(name) as show_text:

        def show(state, said: list, frame: int = 0) -> None:
            loss = float(state.info.value)
            at = f"octave {state.octave + 1}/{state.octaves} step {state.step}/{state.steps}"
            if frames > 1:
                at = f"frame {frame + 1}/{frames} {at}"
            show_text(f"{at} loss {loss:.3g}", (frame + state.done) / frames, said)

        yield show
