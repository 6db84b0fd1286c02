"""``jaxdream dream`` and ``jaxdream replay``; each returns the exit code."""

import argparse
from pathlib import Path

from jaxdream import images
from jaxdream.cli import INTERRUPTED
from jaxdream.commands import common
from jaxdream.errors import JaxdreamError
from jaxdream.images import Picture
from jaxdream.recipe import Recipe, read_recipe


def dream_pictures(options: argparse.Namespace) -> int:
    outputs = common.outputs(options.inputs, options.output)
    # Every input is read before any is dreamed: a bad one ends the command with nothing written.
    for path, output in zip(options.inputs, outputs, strict=True):
        height, width, _ = common.read(path, options.size).pixels.shape
        images.check_writable(output, size=(height, width))
    common.start_jax(options.device)
    model = common.load(options.model, options.weights)
    layer = model.graph.resolve(options.layer) if options.layer else model.default_layer
    for path, output in zip(options.inputs, outputs, strict=True):
        picture = common.read(path, options.size)
        recipe = _recipe(options, model, layer, path, picture)
        if not _dream(model, picture, recipe, output):
            return INTERRUPTED
    return 0


def replay_picture(options: argparse.Namespace) -> int:
    recipe = read_recipe(options.dreamed)
    default = Path(options.dreamed).with_name(f"{Path(options.dreamed).stem}_replay.png")
    output = Path(options.output) if options.output else default
    common.check_target(output, [options.dreamed, options.input])
    picture = images.read_picture(options.input)
    if picture.sha256 != recipe.input_sha256:
        common.say(
            f"{options.input} is not the picture this was dreamed from ({recipe.input_name})"
        )
    picture = images.resize_picture(picture, recipe.size)
    common.start_jax(options.device)
    model = common.load(recipe.model, options.weights)
    if model.weights_sha256 != recipe.weights_sha256:
        raise JaxdreamError(
            f"{options.dreamed} was dreamed with other weights of {recipe.model} "
            f"(sha256 {recipe.weights_sha256[:12]}, these are {model.weights_sha256[:12]}): "
            "give them by --weights PATH"
        )
    here = common.platform()
    if (recipe.jax, recipe.platform) != here:
        common.say(
            f"dreamed with jax {recipe.jax} on {recipe.platform}, this is jax {here[0]} on "
            f"{here[1]}: the same but for rounding"
        )
    return 0 if _dream(model, picture, recipe, output) else INTERRUPTED


def _recipe(options: argparse.Namespace, model, layer: str, path: str, picture: Picture) -> Recipe:
    from importlib.metadata import version

    height, width, _ = picture.pixels.shape
    jax_version, platform = common.platform()
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
    with warnings.catch_warnings(record=True) as said, common.progress(output.name) as show:
        warnings.simplefilter("always")
        try:
            for state in states:
                show(state, said)
        except KeyboardInterrupt:
            interrupted = True
    if state is None:
        common.say("interrupted before the first step: nothing written")
        return False
    with common.uninterrupted():
        if picture.alpha is not None and not images.keeps_alpha(output):
            common.say(f"{output}: this format has no transparency, so it is left out")
        result = state.picture(picture.pixels) if interrupted else state.image
        note = None if interrupted else recipe.to_json()
        images.write_image(output, result, alpha=picture.alpha, recipe=note)
    if interrupted:
        at = f"octave {state.octave + 1} of {state.octaves}, step {state.step} of {state.steps}"
        common.say(f"interrupted at {at}: {output} holds the picture as far as it got")
    else:
        print(f"wrote {output}", flush=True)
    return not interrupted
