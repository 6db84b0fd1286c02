"""``load_model``: a network from a name or a file, downloaded if allowed.

A model's weights are looked for in the package, then among the converted files (``local``), then in
the Hugging Face Hub's own cache, and last on the hub.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason
from jaxdream.models.weights import hub, local
from jaxdream.models.weights.default_file import COMMAND, default_file
from jaxdream.models.weights.local import LocalWeights, load_file
from jaxdream.models.weights.registry import (
    BUNDLED_MODEL,
    CLASSIC_MODEL,
    WeightsRecord,
    record_of,
)
from jaxdream.settings import PrecisionOption

if TYPE_CHECKING:
    from jaxdream.models.graph_network import GraphNetwork

Notify = Callable[[str], None]
Found = tuple[WeightsRecord, LocalWeights]


def load_model(
    name: str = "auto",
    *,
    weights: str | os.PathLike | None = None,
    precision: PrecisionOption = "float32",
    download: bool = False,
    notify: Notify | None = None,
) -> "GraphNetwork":
    """A pretrained network, by name or from a weight file.

    If no ``weights`` are given, the file in the environment variable ``JAXDREAM_WEIGHTS``, or else
    the one remembered by ``jaxdream weights use``, is used: for "auto" whichever network it holds,
    for a name if it holds that model.

    Args:
        name: a model of the registry (``jaxdream models`` lists them), in any letter case. It is
            downloaded if it is not on this machine. "auto" is the model that the weight file holds;
            without a weight file it is the GoogLeNet of 2015 if that is on this machine, else the
            small network that comes with jaxdream.
        weights: a ``.safetensors``, ``.caffemodel``, ``.onnx``, ``.pb``, ``.pth`` or ``.bin`` file.
        precision: "float32", which is exact; "bfloat16" or "float16": faster on accelerators made
            for it, in half the memory, and not quite the same dream; or "auto", what the device
            multiplies fast.
        download: whether "auto" may download the GoogLeNet of 2015 too.
        notify: called with each line for the user: which network was chosen, a download before it
            begins, which precision "auto" is. By default the lines go to the logger "jaxdream",
            as information.

    Returns:
        The network; its pictures are float32, RGB, (h, w, 3), 0..255 (``model.preprocess``).

    Raises:
        JaxdreamError: an unknown name or precision; weights that cannot be downloaded or read, or
            do not fit the model.
    """
    from jaxdream.models.precision import check_precision, resolve_precision

    check_precision(precision)
    notify = notify or logging.getLogger("jaxdream").info
    record, found = _find_weights(name, weights, download=download, notify=notify)
    from jaxdream.models.graph_network import GraphNetwork
    from jaxdream.models.weights.check import graph_for

    resolved = resolve_precision(precision)
    if precision == "auto":
        notify(f"precision {resolved}, which this device multiplies fast")

    return GraphNetwork(
        record.model,
        graph_for(record.build(), found.arrays),
        record.preprocessing,
        record.default_layer,
        found.arrays,
        found.sha256,
        precision=resolved,
    )


def find_record(name: str = "auto", weights: str | os.PathLike | None = None) -> WeightsRecord:
    """The record of the model that ``load_model`` would give. Downloads nothing.

    Raises:
        JaxdreamError: an unknown name; a weight file that cannot be read or does not fit the model.
    """
    if weights is not None:
        return load_file(name, Path(weights))[0]
    if not _is_auto(name):
        return record_of(name)
    file = default_file()
    if file and file.model:
        return record_of(file.model)
    if found := _load_default(name):
        return found[0]
    return record_of(CLASSIC_MODEL if local.find(record_of(CLASSIC_MODEL)) else BUNDLED_MODEL)


def _find_weights(
    name: str, weights: str | os.PathLike | None, *, download: bool, notify: Notify
) -> Found:
    if weights is not None:
        return load_file(name, Path(weights))
    if found := _load_default(name):
        notify(f"using {found[0].model} from {found[1].path}")
        return found
    if _is_auto(name):
        return _load_auto(download=download, notify=notify)
    record = record_of(name)
    return record, fetch(record, download=True, notify=notify)


def _load_default(name: str) -> Found | None:
    """The weights in the file to use if none is named, if they are of this model."""
    wanted = None if _is_auto(name) else record_of(name).model
    file = default_file()
    if file is None or (wanted and file.model and file.model != wanted):
        return None
    try:
        record, found = load_file(file.model or "auto", file.path)
    except JaxdreamError as error:
        raise JaxdreamError(f"{error} (the file is named by {file.source})") from error
    return (record, found) if wanted in (None, record.model) else None


def _load_auto(*, download: bool, notify: Notify) -> Found:
    classic, bundled = record_of(CLASSIC_MODEL), record_of(BUNDLED_MODEL)
    why = ""
    if download or local.find(classic):
        try:
            found = fetch(classic, download=download, notify=notify)
        except JaxdreamError as error:
            why = f" ({error.short if isinstance(error, hub.Unavailable) else error})"
        else:
            notify(f"using {classic.model}")
            return classic, found
    notify(f"using the bundled network {bundled.model}{why}")
    return bundled, fetch(bundled, download=False, notify=notify)


def _is_auto(name: str) -> bool:
    return name.lower() == "auto"


def fetch(record: WeightsRecord, *, download: bool, notify: Notify) -> LocalWeights:
    """A record's weights, checked; downloaded and converted if need be.

    Raises:
        JaxdreamError: they are not on this machine and cannot or must not be downloaded.
    """
    if record.bundled:
        return local.read_file(record, local.bundled_path(record.file))[1]
    if record.repo is None:
        raise JaxdreamError(
            f"{record.file} cannot be downloaded: name the file with --weights PATH or "
            f"`{COMMAND} PATH`"
        )
    if converted := local.read_converted(record):
        return converted
    if source := hub.downloaded(record):
        try:
            return _convert(record, source, notify)
        except JaxdreamError as error:
            if source.exists() or not download:  # undamaged: another copy would be no better
                raise
            notify(f"{error}; downloading it again")
    if not download:
        raise JaxdreamError(f"the weights of {record.model} on this machine are damaged")
    return _convert(record, hub.download(record, notify), notify)


def _convert(record: WeightsRecord, source: Path, notify: Notify) -> LocalWeights:
    """Check a downloaded file and keep it in our layout; a damaged one is removed."""
    proved = hub.check_download(record, source)
    try:
        _, found = local.read_file(record, source)
    except JaxdreamError:
        if not proved:
            hub.discard(source)
        raise
    try:
        return local.write_converted(record, found)
    except (JaxdreamError, OSError) as error:
        notify(f"converted weights cannot be kept in {local.cache_dir()}: {reason(error)}")
        return found
