"""What the command line does, one function a command; each returns the exit code."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxdream import images
from jaxdream.cli import INTERRUPTED
from jaxdream.errors import JaxdreamError
from jaxdream.images import Picture
from jaxdream.recipe import Recipe, read_recipe


def dream_pictures(options: argparse.Namespace) -> int:
    outputs = _outputs(options.inputs, options.output)
    # Every input is read before any is dreamed: a bad one ends the command with nothing written.
    for path, output in zip(options.inputs, outputs, strict=True):
        height, width, _ = _read(path, options.size).pixels.shape
        images.check_writable(output, size=(height, width))
    _start_jax(options.device)
    model = _load(options.model, options.weights)
    layer = model.graph.resolve(options.layer) if options.layer else model.default_layer
    for path, output in zip(options.inputs, outputs, strict=True):
        picture = _read(path, options.size)
        recipe = _recipe(options, model, layer, path, picture)
        if not _dream(model, picture, recipe, output):
            return INTERRUPTED
    return 0


def replay_picture(options: argparse.Namespace) -> int:
    recipe = read_recipe(options.dreamed)
    default = Path(options.dreamed).with_name(f"{Path(options.dreamed).stem}_replay.png")
    output = Path(options.output) if options.output else default
    _check_target(output, [options.dreamed, options.input])
    picture = images.read_picture(options.input)
    if picture.sha256 != recipe.input_sha256:
        _say(f"{options.input} is not the picture this was dreamed from ({recipe.input_name})")
    picture = images.resize_picture(picture, recipe.size)
    _start_jax(options.device)
    model = _load(recipe.model, options.weights)
    if model.weights_sha256 != recipe.weights_sha256:
        raise JaxdreamError(
            f"{options.dreamed} was dreamed with other weights of {recipe.model} "
            f"(sha256 {recipe.weights_sha256[:12]}, these are {model.weights_sha256[:12]}): "
            "give them by --weights PATH"
        )
    here = _platform()
    if (recipe.jax, recipe.platform) != here:
        _say(
            f"dreamed with jax {recipe.jax} on {recipe.platform}, this is jax {here[0]} on "
            f"{here[1]}: the same but for rounding"
        )
    return 0 if _dream(model, picture, recipe, output) else INTERRUPTED


def list_layers(options: argparse.Namespace) -> int:
    from jaxdream.models.registry import record_of
    from jaxdream.models.store import local_model

    record = record_of(local_model() if options.model == "auto" else options.model)
    graph = record.build()
    infos = graph.layers()
    width = max(len(info.name) for info in infos)
    print(f"{record.model}: {record.summary}; * looks good, ** the default")
    print(f"   {'layer':{width}}  channels  stride  receptive field")
    for info in infos:
        mark = "**" if info.name == record.default_layer else "*"
        mark = mark if info.name in graph.good_layers else ""
        field = "whole picture"
        if info.receptive_field:
            height, across = info.receptive_field
            field = f"{across}x{height}"
        print(f"{mark:2} {info.name:{width}}  {info.channels:8}  {info.stride:6}  {field}")
    return 0


def list_models(options: argparse.Namespace) -> int:
    del options
    from jaxdream.models.registry import RECORDS
    from jaxdream.models.store import status

    for record in RECORDS:
        where = f"{record.repo}/{record.file}" if record.repo else record.file
        print(f"{record.model:20} {status(record):12} {record.megabytes:4} MB  {record.summary}")
        print(f"{'':20} {where}; {record.origin}; licence: {record.licence}")
    print(
        "\nbundled, cached: here; downloadable: fetched when first asked for; "
        "file only: give the file by --weights PATH"
    )
    return 0


def convert_weights(options: argparse.Namespace) -> int:
    from jaxdream.models import loader
    from jaxdream.models.store import load_file

    output = Path(options.output)
    if output.suffix != ".safetensors":
        raise JaxdreamError(f"{output}: converted weights go to a .safetensors file")
    _check_not_input(output, [options.input])
    record, local = load_file(options.model, Path(options.input), _say)
    loader.write_weights(output, local.arrays, model=record.model)
    print(f"wrote {output}: {_summary(record, local)}")
    return 0


def verify_weights(options: argparse.Namespace) -> int:
    from jaxdream.models.store import load_file

    record, local = load_file(options.model, Path(options.input), _say)
    print(f"{options.input} is sound: {_summary(record, local)}")
    return 0


def _summary(record, local) -> str:
    count = sum(array.size for array in local.arrays.values())
    return f"{record.model}, {count:,} parameters, sha256 of their values {local.sha256}"


def _say(line: str) -> None:
    print(f"jaxdream: {line}", file=sys.stderr, flush=True)


def _read(path: str, size: str | None) -> Picture:
    picture = images.read_picture(path)
    if size is None:
        return picture
    height, width, _ = picture.pixels.shape
    return images.resize_picture(picture, images.parse_size(size, height, width))


def _outputs(inputs: list[str], output: str | None) -> list[Path]:
    """Where each dream goes; checked before anything is computed."""
    names = [f"{Path(path).stem}_dream.png" for path in inputs]
    if output is None:
        targets = [Path(path).with_name(name) for path, name in zip(inputs, names, strict=True)]
    elif len(inputs) > 1 or Path(output).is_dir() or not Path(output).suffix:
        folder = Path(output)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JaxdreamError(f"{folder}: cannot be a folder: {error.strerror}") from None
        targets = [folder / name for name in names]
    else:
        targets = [Path(output)]
    for target in targets:
        if targets.count(target) > 1:
            raise JaxdreamError(f"two pictures would be written to {target}: dream them apart")
        _check_target(target, inputs)
    return targets


def _check_target(target: Path, inputs: list[str]) -> None:
    images.check_writable(target)
    _check_not_input(target, inputs)
    if not images.keeps_recipe(target):
        _say(f"{target}: this format keeps no recipe, so `jaxdream replay` will not know it")


def _check_not_input(target: Path, inputs: list[str]) -> None:
    for path in inputs:
        if target.exists() and Path(path).exists() and target.samefile(path):
            raise JaxdreamError(f"{target} is the input: write to another file")


def _start_jax(device: str | None) -> None:
    """Choose the platform and keep compiled programs, before JAX computes anything."""
    import jax

    from jaxdream.models.store import cache_dir

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


def _platform() -> tuple[str, str]:
    import jax

    return jax.__version__, jax.default_backend()


def _load(name: str, weights: str | None):
    from jaxdream.models.store import load_model

    return load_model(name, weights=weights, notify=_say)


def _recipe(options: argparse.Namespace, model, layer: str, path: str, picture: Picture) -> Recipe:
    from importlib.metadata import version

    height, width, _ = picture.pixels.shape
    jax_version, platform = _platform()
    return Recipe(
        jaxdream=version("jaxdream"),
        model=model.name,
        weights_sha256=model.weights_sha256,
        input_name=Path(path).name,
        input_sha256=picture.sha256,
        size=(height, width),
        seed=options.seed,
        objective=layer,
        steps=options.steps,
        octaves=options.octaves,
        octave_scale=options.octave_scale,
        step_size=options.step_size,
        jitter=options.jitter,
        clip=not options.no_clip,
        jax=jax_version,
        platform=platform,
    )


def _dream(model, picture: Picture, recipe: Recipe, output: Path) -> bool:
    """Dream one picture as the recipe says and write it; False if interrupted on the way."""
    import warnings

    import jax

    from jaxdream.deepdream import iterate_dream
    from jaxdream.objectives import layer

    states = iterate_dream(
        jax.random.key(recipe.seed),
        model,
        picture.pixels,
        objective=layer(recipe.objective),
        steps=recipe.steps,
        octaves=recipe.octaves,
        octave_scale=recipe.octave_scale,
        step_size=recipe.step_size,
        jitter=recipe.jitter,
        clip=recipe.clip,
    )
    state = None
    interrupted = False
    with warnings.catch_warnings(record=True) as said, _progress(output.name) as show:
        warnings.simplefilter("always")
        try:
            for state in states:
                show(state, said)
        except KeyboardInterrupt:
            interrupted = True
    if state is None:
        _say("interrupted before the first step: nothing written")
        return False
    with _uninterrupted():
        if picture.alpha is not None and not images.keeps_alpha(output):
            _say(f"{output}: this format has no transparency, so it is left out")
        result = state.picture(picture.pixels) if interrupted else state.image
        note = None if interrupted else recipe.to_json()
        images.write_image(output, result, alpha=picture.alpha, recipe=note)
    if interrupted:
        at = f"octave {state.octave + 1} of {state.octaves}, step {state.step} of {state.steps}"
        _say(f"interrupted at {at}: {output} holds the picture as far as it got")
    else:
        print(f"wrote {output}", flush=True)
    return not interrupted


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C does not lose what the first one kept."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(name: str):
    """A bar on a terminal, nothing elsewhere; gives a function of the state and the warnings.

    It waits for each state, so that an interrupted dream has one that is finished.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=1)

        def show(state, said: list) -> None:
            while said:
                _say(str(said.pop(0).message))
            loss = float(state.info.loss)
            at = f"octave {state.octave + 1}/{state.octaves} step {state.step}/{state.steps}"
            progress.update(task, description=f"{name} {at} loss {loss:.3g}", completed=state.done)

        yield show
