"""``jaxdream replay``; returns the exit code."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.dream import Task, check_targets, dream_task, files_of
from jaxdream.cli.input_files import check_file, check_input_files
from jaxdream.cli.options import read_settings
from jaxdream.cli.own_network import is_own
from jaxdream.errors import JaxdreamError
from jaxdream.files.writing import check_place
from jaxdream.images import picture_files
from jaxdream.images.noise import noise_picture
from jaxdream.images.picture_files import Picture
from jaxdream.images.pixels import parse_size
from jaxdream.models.weights.registry import RECORDS
from jaxdream.recipe import Recipe, provenance, read_recipe
from jaxdream.settings import Compute


def replay_picture(options: argparse.Namespace) -> int:
    recipe = read_recipe(options.dreamed)
    output = session.output_path(options.output, session.beside(options.dreamed, "_replay.png"))
    check_place(output)
    inputs = _inputs_to_replay(options, recipe)
    reads = [options.dreamed] if recipe.source.begin else [options.dreamed, *inputs]
    guard = session.file_guard(options, reads)
    compute = read_settings(options, Compute)
    check_input_files(options, guard=guard, memory=compute.memory)
    check_targets([output], guard)
    picture = _picture_to_replay(options, recipe)
    found = _find_files(options, recipe)
    for path in found.values():
        guard.add_read(path, what="a file of the recipe")
    session.start_jax(options.device, compute.memory)
    compute = compute.replace(precision=recipe.provenance.precision)
    model = _network_to_replay(options, recipe, compute)
    here = provenance(model)
    _check_provenance(options.dreamed, recipe, here)
    objective = _objective_to_replay(options.dreamed, recipe, model, found)
    from jaxdream.execution.shapes import ShapeBuckets
    from jaxdream.folder.worker import FileWork, NamedObjective, Progress

    files = files_of(inputs, [output], recipe.source.seed)
    work = FileWork(
        folder=Path(), settings=recipe.settings, source=recipe.source, progress=Progress(),
        objective=NamedObjective(recipe.objective, recipe.files), provenance=here,
        preloaded={files[0].output: picture}, masks=_mask_to_replay(recipe, found, compute.memory),
    )  # fmt: skip
    compute = compute.replace(shapes=ShapeBuckets.from_text(recipe.shapes))
    return dream_task(Task(model, objective, work, compute), files)


def _network_to_replay(options: argparse.Namespace, recipe: Recipe, compute: Compute):
    """The network of the recipe; one of the user's own only where the user names it.

    A picture comes from anywhere: what it says must not decide which code is run.
    """
    if options.model is not None and is_own(options.model):
        return session.load(options, compute)
    name = recipe.provenance.model if options.model is None else options.model
    if options.model is None and name not in {record.model for record in RECORDS}:
        raise JaxdreamError(
            f"{options.dreamed} was dreamed with a network of one's own ({name}): a picture cannot "
            "make jaxdream run code, so give the network by --model MODULE:FUNCTION"
        )
    return session.load(options, compute, name=name)


def _inputs_to_replay(options: argparse.Namespace, recipe: Recipe) -> list[str]:
    begin = recipe.source.begin
    if begin is not None:
        if options.input is not None:
            raise JaxdreamError(f"{options.dreamed} began from {begin}: leave out {options.input}")
        return [begin]
    if options.input is None:
        raise JaxdreamError(
            f"{options.dreamed} was dreamed from a picture ({recipe.input_name}): name it as well"
        )
    return [options.input]


def _picture_to_replay(options: argparse.Namespace, recipe: Recipe) -> Picture:
    """The picture to dream, at the size of the recipe, or of an option."""
    if recipe.source.begin is not None:
        return noise_picture(recipe.source.seed, options.size or recipe.size)
    picture = picture_files.read_picture(options.input)
    is_original = picture.sha256 == recipe.input_sha256
    if not is_original and not options.other_picture:
        raise JaxdreamError(
            f"{options.input} is not the picture that {options.dreamed} was dreamed from "
            f"({recipe.input_name}): give that one, or --other-picture to dream this one with the "
            "same settings"
        )
    height, width, _ = picture.pixels.shape
    size = recipe.size if is_original else (height, width)
    if options.size is not None:
        size = parse_size(options.size, height, width)
    return picture_files.resize_picture(picture, size)


def _find_files(options: argparse.Namespace, recipe: Recipe) -> dict[str, str]:
    """The paths of the recipe's files, by their names in it; networks are none."""
    from jaxdream.objectives.files import find_files
    from jaxdream.objectives.text import named_networks

    networks = named_networks(recipe.objective)
    folders = [Path(path).parent for path in (options.input, options.dreamed) if path is not None]
    files = {name: sha256 for name, sha256 in recipe.files.items() if name not in networks}
    given = [*options.guide, options.mask] if options.mask else options.guide
    return find_files(files, given, [*folders, Path()])


def _mask_to_replay(recipe: Recipe, found: Mapping[str, str], memory: int | None):
    from jaxdream.images.masks import ALPHA, MaskSource

    name = recipe.source.mask
    if name is None or name == ALPHA:
        return MaskSource.asked(recipe.source, session.say)
    if name not in found:
        raise JaxdreamError(f"its recipe is damaged: the mask {name} is not among its files")
    check_file(found[name], memory)
    return MaskSource.asked(recipe.source.replace(mask=found[name]), session.say)


def _objective_to_replay(dreamed: str, recipe: Recipe, model, found: Mapping[str, str]):
    from jaxdream.objectives.files import ObjectiveFiles
    from jaxdream.objectives.text import parse_objective, with_files_renamed

    files = ObjectiveFiles(recipe.source.guide_size, session.say)
    objective = parse_objective(with_files_renamed(recipe.objective, found), model, files=files)
    for name, network in files.networks.items():
        then, how = recipe.files.get(name, ""), "`jaxdream weights use FILE`"
        _check_weights(dreamed, name, then, network.weights_sha256, how)
    return objective


def _check_weights(dreamed: str, model: str, then: str, here: str, how: str) -> None:
    """Refuse other weights, by the hashes of their values; ``how`` the right ones are given."""
    if here != then:
        raise JaxdreamError(
            f"{dreamed} was dreamed with other weights of {model} (sha256 {then[:12]}, these are "
            f"{here[:12]}): give them by {how}"
        )


def _check_provenance(dreamed: str, recipe: Recipe, here) -> None:
    """Refuse other weights, and say what else may differ."""
    then = recipe.provenance
    how = "its function" if is_own(here.model) else "--weights FILE"
    _check_weights(dreamed, then.model, then.weights_sha256, here.weights_sha256, how)
    if (here.jax, here.platform) != (then.jax, then.platform):
        session.say(
            f"dreamed with jax {then.jax} on {then.platform}, this is jax {here.jax} on "
            f"{here.platform}: the same except for rounding"
        )
