"""``jaxdream dream`` and ``jaxdream replay``; each returns the exit code."""

import argparse
from pathlib import Path

from jaxdream.cli import preview, session
from jaxdream.cli.main import INTERRUPTED
from jaxdream.cli.objective_options import objective_text
from jaxdream.errors import JaxdreamError
from jaxdream.images import picture_files
from jaxdream.images.picture_files import Picture
from jaxdream.recipe import Recipe, dream_settings, made_with, read_recipe


def dream_pictures(options: argparse.Namespace) -> int:
    outputs = session.outputs(options.inputs, options.output)
    preview.check(options, outputs)
    # Every input is read before any is dreamed: a bad one ends the command with nothing written.
    sizes = []
    for path, output in zip(options.inputs, outputs, strict=True):
        height, width, _ = session.read(path, options.size).pixels.shape
        picture_files.check_writable(output, size=(height, width))
        sizes.append((height, width))
    session.start_jax(options.device)
    model = session.load(options.model, options.weights, options.precision)
    objective, named = asked_objective(options, model)
    canvases = _canvases(options, sizes)
    machine = _machine(options)
    if machine["sharding"] is not None:
        model = machine["sharding"].replicate(model)  # once for all pictures
    for path, output in zip(options.inputs, outputs, strict=True):
        picture = session.read(path, options.size)
        recipe = asked_recipe(options, model, path, picture, **named, **canvases(picture))
        if options.plan:
            _print_plan(path, model, objective, recipe, **machine)
        elif not _dream(model, objective, picture, recipe, output, options, **machine):
            return INTERRUPTED
    return 0


def _machine(options: argparse.Namespace) -> dict:
    """What ``dream`` is given of the machine."""
    return {"memory": options.memory, "sharding": session.sharding(options.shard)}


def _canvases(options: argparse.Namespace, sizes: list[tuple[int, int]]):
    """A function that gives of a picture which canvases its octaves have, for its recipe.

    They are planned for all pictures together.
    """
    from jaxdream.algorithm.octaves import plan_octaves
    from jaxdream.execution.shapes import Canvases, plan_canvases

    same = {"octaves": options.octaves, "octave_scale": options.octave_scale}
    several = len(set(sizes)) > 1
    planned = plan_canvases(sizes, **same) if several else Canvases()

    def of(picture: Picture) -> dict[str, str]:
        height, width, _ = picture.pixels.shape
        return {"canvases": planned.only(plan_octaves((height, width), **same)).text()}

    return of


def _print_plan(path: str, model, objective, recipe: Recipe, **machine) -> None:
    """What ``--plan`` is for: the programs of a dream, what they take, and how long."""
    from jaxdream.execution.memory import in_use, shown
    from jaxdream.execution.planner import plan_dream
    from jaxdream.execution.shapes import Canvases
    from jaxdream.octave_loop import check_settings

    settings = dream_settings(recipe)
    check_settings(*(settings[name] for name in ("steps", "step_size", "jitter")))
    same = ("steps", "octaves", "octave_scale", "optimizer")
    before = in_use()
    octaves = plan_dream(
        model,
        recipe.size,
        objective=objective,
        canvases=Canvases.from_text(recipe.canvases),
        **machine,
        **{name: settings[name] for name in same},
    )
    height, width = recipe.size
    time = _time(sum(octave.seconds for octave in octaves))
    memory = shown(before + max(octave.memory for octave in octaves))
    sharding = machine["sharding"]
    where = f"on each of {sharding.count} devices" if sharding else "in all"
    print(f"{path}: {width}x{height}, about {time}, {memory} of memory {where}")
    for octave in octaves:
        (h, w), (rows, columns) = octave.size, octave.shape
        times = f", {octave.parts} times a step" if octave.parts > 1 else ""
        print(
            f"  {w}x{h}: a program for {columns}x{rows}{times}, {shown(octave.peak)}, "
            f"about {_time(octave.seconds)}",
            flush=True,
        )


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def replay_picture(options: argparse.Namespace) -> int:
    recipe = read_recipe(options.dreamed)
    default = Path(options.dreamed).with_name(f"{Path(options.dreamed).stem}_replay.png")
    output = Path(options.output) if options.output else default
    session.check_target(output, [options.dreamed, options.input])
    picture = picture_files.read_picture(options.input)
    if picture.sha256 != recipe.input_sha256:
        session.say(
            f"{options.input} is not the picture this was dreamed from ({recipe.input_name})"
        )
    picture = picture_files.resize_picture(picture, recipe.size)
    session.start_jax(options.device)
    model = session.load(recipe.model, options.weights, recipe.precision)
    if model.weights_sha256 != recipe.weights_sha256:
        raise JaxdreamError(
            f"{options.dreamed} was dreamed with other weights of {recipe.model} "
            f"(sha256 {recipe.weights_sha256[:12]}, these are {model.weights_sha256[:12]}): "
            "give them by --weights PATH"
        )
    here = session.platform()
    if (recipe.jax, recipe.platform) != here:
        session.say(
            f"dreamed with jax {recipe.jax} on {recipe.platform}, this is jax {here[0]} on "
            f"{here[1]}: the same but for rounding"
        )
    from jaxdream.objectives.files import ObjectiveFiles, find_files
    from jaxdream.objectives.text import parse_objective, with_files_renamed

    folders = [Path(path).parent for path in (options.input, options.dreamed)]
    paths = find_files(recipe.files, options.guide, [*folders, Path()])
    text = with_files_renamed(recipe.objective, paths)
    files = ObjectiveFiles(recipe.guide_size, session.say)
    objective = parse_objective(text, model, files=files)
    done = _dream(model, objective, picture, recipe, output, **_machine(options))
    return 0 if done else INTERRUPTED


def asked_objective(options: argparse.Namespace, model):
    """The objective that the options ask for, and how a recipe names it."""
    from jaxdream.objectives.files import ObjectiveFiles
    from jaxdream.objectives.text import parse_objective, without_folders

    text = objective_text(options, model.default_layer)
    files = ObjectiveFiles(options.guide_size, session.say)
    objective = parse_objective(text, model, files=files)
    return objective, {"objective": without_folders(text), "files": files.by_name()}


def asked_recipe(
    options: argparse.Namespace, model, path: str, picture: Picture, **named
) -> Recipe:
    """The recipe of what the options ask for; ``named`` is from ``asked_objective``."""
    height, width, _ = picture.pixels.shape
    same = ("seed", "steps", "octaves", "octave_scale", "optimizer", "step_size", "smooth",
            "laplacian", "jitter", "guide_size")  # fmt: skip
    return Recipe(
        **made_with(model),
        input_name=Path(path).name,
        input_sha256=picture.sha256,
        size=(height, width),
        clip=not options.no_clip,
        **named,
        **{name: getattr(options, name) for name in same},
    )


def _dream(
    model,
    objective,
    picture: Picture,
    recipe: Recipe,
    output: Path,
    options: argparse.Namespace | None = None,
    **machine,
) -> bool:
    """Dream one picture as the recipe says and write it; False if interrupted on the way."""
    import warnings

    import jax

    from jaxdream.deepdream import iterate_dream
    from jaxdream.execution.shapes import Canvases

    with preview.recording(options, output) as frames:
        stepwise = frames is not None and frames.every == "step"
        states = iterate_dream(
            jax.random.key(recipe.seed),
            model,
            picture.pixels,
            objective=objective,
            scan=False if stepwise else None,
            canvases=Canvases.from_text(recipe.canvases),
            **machine,
            **dream_settings(recipe),
        )
        state = None
        interrupted = False
        with warnings.catch_warnings(record=True) as said, session.progress(output.name) as show:
            warnings.simplefilter("always")
            try:
                for state in states:
                    show(state, said)
                    if frames is not None:
                        frames.add(state, picture.pixels)
            except KeyboardInterrupt:
                interrupted = True
        if state is None:
            session.say("interrupted before the first step: nothing written")
            return False
        with session.uninterrupted():
            _write(state, picture, recipe, output, interrupted=interrupted)
    return not interrupted


def _write(state, picture: Picture, recipe: Recipe, output: Path, *, interrupted: bool) -> None:
    """Write a dream, whole or as far as it got, and say so."""
    if picture.alpha is not None and not picture_files.keeps_alpha(output):
        session.say(f"{output}: this format has no transparency, so it is left out")
    result = state.picture(picture.pixels) if interrupted else state.image
    note = None if interrupted else recipe.to_json()
    picture_files.write_image(output, result, alpha=picture.alpha, recipe=note)
    if interrupted:
        at = f"octave {state.octave + 1} of {state.octaves}, step {state.step} of {state.steps}"
        session.say(f"interrupted at {at}: {output} holds the picture as far as it got")
    else:
        print(f"wrote {output}", flush=True)
