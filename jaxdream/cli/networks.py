"""``jaxdream layers``, ``models`` and ``weights``; each returns the exit code."""

import argparse
from pathlib import Path

from jaxdream.cli import session
from jaxdream.errors import JaxdreamError


def list_layers(options: argparse.Namespace) -> int:
    from jaxdream.models.weights.load import local_model
    from jaxdream.models.weights.registry import record_of

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
    from jaxdream.models.weights.load import status
    from jaxdream.models.weights.registry import RECORDS

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
    from jaxdream.models.weights import check
    from jaxdream.models.weights.load import load_file

    output = Path(options.output)
    if output.suffix != ".safetensors":
        raise JaxdreamError(f"{output}: converted weights go to a .safetensors file")
    session.check_not_input(output, [options.input])
    record, local = load_file(options.model, Path(options.input), session.say)
    check.write_weights(output, local.arrays, model=record.model)
    print(f"wrote {output}: {_summary(record, local)}")
    return 0


def verify_weights(options: argparse.Namespace) -> int:
    from jaxdream.models.weights.load import load_file

    record, local = load_file(options.model, Path(options.input), session.say)
    print(f"{options.input} is sound: {_summary(record, local)}")
    return 0


def _summary(record, local) -> str:
    count = sum(array.size for array in local.arrays.values())
    return f"{record.model}, {count:,} parameters, sha256 of their values {local.sha256}"
