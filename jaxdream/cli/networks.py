"""``jaxdream layers``, ``models``, ``classes`` and ``weights``; each returns the exit code."""

import argparse
import os
from pathlib import Path

from jaxdream.cli import session
from jaxdream.cli.own_network import is_own, load_own
from jaxdream.cli.start import raise_on_signals
from jaxdream.errors import JaxdreamError
from jaxdream.files.guard import FileGuard


def list_layers(options: argparse.Namespace) -> int:
    from jaxdream.models.weights.load import find_record

    if is_own(options.model):
        return _list_own_layers(load_own(options.model, options.weights))
    record = find_record(options.model, options.weights)
    graph = record.build()
    infos = graph.layer_infos()
    width = max(len(info.name) for info in infos)
    good = "looks good" if graph.looked_at else "may look good (chosen without seeing dreams of it)"
    print(f"{record.model}: {record.summary}; * {good}, ** the default")
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


def _list_own_layers(model) -> int:
    infos = model.layers()
    width = max(len(info.name) for info in infos)
    height, across, _ = infos[0].shape
    print(f"{model.name}: ** is the default")
    print(f"   {'layer':{width}}  channels  shape on a picture of {across}x{height}")
    for info in infos:
        mark = "**" if info.name == model.default_layer else ""
        shape = "x".join(map(str, info.shape))
        print(f"{mark:2} {info.name:{width}}  {info.channels:8}  {shape}")
    return 0


def list_models(options: argparse.Namespace) -> int:
    del options
    from jaxdream.execution.compile_cache import programs_folder
    from jaxdream.models.weights import hub
    from jaxdream.models.weights.default_file import default_file
    from jaxdream.models.weights.local import cache_dir, status
    from jaxdream.models.weights.registry import RECORDS

    width = max(len(record.model) for record in RECORDS)
    for record in RECORDS:
        where = f"{record.repo}/{record.file}" if record.repo else record.file
        size = f"{record.megabytes or '?':>4} MB"
        print(f"{record.model:{width}} {status(record):12} {size}  {record.summary}")
        print(f"{'':{width}} {where}; {record.origin}; licence: {record.licence}")
    print(
        "\nbundled, cached: on this machine; downloadable: downloaded when it is first used; "
        "file only: name the file with --weights PATH or `jaxdream weights use PATH`"
    )
    if file := default_file():
        print(f"used if no --weights are given: {file.path} (named by {file.source})")
    print(f"downloaded files: {hub.cache_folder()}")
    print(f"converted files: {cache_dir() / 'weights'}")
    print(f"compiled programs: {programs_folder()}")
    return 0


def list_classes(options: argparse.Namespace) -> int:
    from jaxdream.cli.targets import classes_of_model

    word = (options.word or "").replace("_", " ").lower()
    found = [c for c in classes_of_model(options.model) if word in ", ".join(c.names).lower()]
    if not found:
        raise JaxdreamError(
            f"no class has {options.word!r} in its names: `jaxdream classes` lists all"
        )
    for image_class in found:
        synset = f"{image_class.synset}  " if image_class.synset else ""
        print(f"{image_class.index:3}  {synset}{', '.join(image_class.names)}")
    return 0


def convert_weights(options: argparse.Namespace) -> int:
    from jaxdream.models.weights import check
    from jaxdream.models.weights.local import load_file

    output = Path(options.output)
    if output.suffix != ".safetensors":
        raise JaxdreamError(f"{output}: give converted weights a name that ends in .safetensors")
    FileGuard([options.input], replace=options.overwrite or _is_own).add_write(output)
    record, local = load_file(options.model, Path(options.input))
    raise_on_signals()
    check.write_weights(output, local.arrays, model=record.model)
    print(f"wrote {output}: {_summary(record, local)}")
    return 0


def verify_weights(options: argparse.Namespace) -> int:
    from jaxdream.models.weights.local import differs_from_published, load_file

    path = Path(options.input)
    record, local = load_file(options.model, path)
    print(f"{path} is sound: {_summary(record, local)}")
    if differs_from_published(path):
        session.say(
            f"{path} is not the published file of that name: its hash differs, as that of a copy "
            "without the auxiliary heads does"
        )
    return 0


def use_weights(options: argparse.Namespace) -> int:
    from jaxdream.models.weights import default_file
    from jaxdream.models.weights.local import load_file

    if options.forget == (options.input is not None):
        raise JaxdreamError("`jaxdream weights use` takes either a weight file or --forget")
    if options.forget:
        print("forgot the weight file" if default_file.forget() else "no weight file to forget")
        return 0
    path = Path(options.input)
    record, local = load_file(options.model, path)
    raise_on_signals()
    default_file.remember(path, record.model)
    print(f"using {path} from now on: {_summary(record, local)}")
    if named := os.environ.get(default_file.VARIABLE):
        session.say(f"{default_file.VARIABLE} is set and wins: {named} is used")
    return 0


def _is_own(path: Path) -> bool:
    """Whether jaxdream converted a weight file."""
    from jaxdream.models.weights.check import read_metadata

    return "jaxdream_model" in read_metadata(path)


def _summary(record, local) -> str:
    count = sum(array.size for array in local.arrays.values())
    return f"{record.model}, {count:,} parameters, sha256 of their values {local.sha256}"
