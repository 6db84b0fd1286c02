"""Ray: started or joined, quiet, and asked which machines compute.

What runs in Ray's workers is in the modules beside this one, and needs no Ray.
"""

import os
import re
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from jaxdream.cluster.optional import imported
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason
from jaxdream.settings import Compute

LOCAL = "local"  # instead of an address: a Ray of this machine's own, for this run
_ADDRESS = re.compile(r"(auto|local|[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5})")
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
# Processors of a task that reads or writes: at most this, and so little that one of each of the
# three kinds of such tasks has room beside the workers of any machine, for otherwise Ray Data may
# wait for ever. Never as much as a worker: Ray Data puts stages with equal needs into one process.
_READING_CPUS, _READING_SHARE = 0.45, 0.32
_SHARE_ON_GPU = 0.25  # processors of a worker whose work is done by an accelerator, at most


class Workers(NamedTuple):
    """What one worker that dreams takes of a machine, and how many there are now."""

    platform: str  # as Ray's resources tell: "cpu", "gpu" or "tpu"
    now: int
    options: dict[str, Any]  # for Ray: num_cpus, num_gpus, resources
    reading_cpus: float  # processors of a task that reads or writes


def ray_data() -> Any:
    """The module ``ray.data``.

    Raises:
        JaxdreamError: it is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    imported("fsspec")
    return imported("ray.data")


def check_address(address: str) -> None:
    """Make sure that a text can be the address of a cluster.

    Raises:
        JaxdreamError: it is something else.
    """
    if not _ADDRESS.fullmatch(address):
        raise JaxdreamError(
            f"--cluster takes auto, local or HOST:PORT of a Ray cluster, not {address!r}: a "
            "picture's name goes before it"
        )


@contextmanager
def connected(address: str = LOCAL, **options: Any) -> Iterator[None]:
    """Ray, started for the block or joined; one that this process has joined already is used.

    Args:
        address: ``"local"``, ``"auto"`` for the cluster that this machine is part of, or HOST:PORT.
        options: more for ``ray.init``.

    Raises:
        JaxdreamError: there is no Ray there, or it is not installed.
    """
    ray_data()
    ray = imported("ray")

    if ray.is_initialized():
        _be_quiet()
        yield
        return
    check_address(address)
    if address == LOCAL:
        options = {"include_dashboard": False} | options
    try:
        with warnings.catch_warnings():
            # Ray starts its processes by a fork, and calls nothing of JAX in between.
            warnings.filterwarnings("ignore", "os.fork\\(\\) was called", RuntimeWarning)
            ray.init(address=address, log_to_driver=False, logging_level="critical", **options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise JaxdreamError(
            f"no Ray cluster at {address} ({reason(error)}): start one with `ray start --head`, "
            "or leave the address out"
        ) from None
    try:
        _be_quiet()
        yield
    finally:
        ray.shutdown()


def _be_quiet() -> None:
    """No bars, no lines of Ray's own."""
    import logging

    context = imported("ray.data").DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def find_workers(compute: Compute, device: str | None = None) -> Workers:
    """What the cluster has for dreaming: a worker for each accelerator, or for each machine.

    Where rows are shared, a worker has all accelerators of its machine. A machine without one
    computes with all its cores in one worker, since XLA does.

    Args:
        device: "cpu", "gpu" or "tpu", where only that is wanted.

    Raises:
        JaxdreamError: no machine has it.
    """
    ray = imported("ray")

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for platform, name in (("gpu", "GPU"), ("tpu", "TPU")):
        having = [node for node in nodes if node.get(name, 0) >= 1]
        if having and device in (None, platform):
            return _accelerated(platform, name, having, compute)
    if device in ("gpu", "tpu"):
        raise JaxdreamError(f"no machine of the cluster has a {device.upper()}: leave --device out")
    cores = [node["CPU"] for node in nodes if node.get("CPU", 0) > 0]
    if not cores:
        raise JaxdreamError("no machine of the cluster has processors for Ray to use")
    # What is left of each machine reads and writes.
    taken = max(min(cores) / 2, min(cores) - 2)
    return Workers("cpu", len(cores), {"num_cpus": taken}, _reading_cpus(min(cores) - taken))


def _accelerated(
    platform: str, name: str, nodes: Sequence[Mapping[str, float]], compute: Compute
) -> Workers:
    """Workers on the machines that have accelerators, which Ray calls by a name."""
    have = [int(node[name]) for node in nodes]
    each = min(have) if compute.shard == "rows" else 1
    counts = [count // each for count in have]
    taken: dict[str, Any] = {"num_gpus": each} if name == "GPU" else {"resources": {name: each}}
    cores = [node.get("CPU", 0) for node in nodes]
    # Where a machine has many accelerators and few cores, half of these are left to read and write.
    share = min(core / count / 2 for core, count in zip(cores, counts, strict=True))
    taken["num_cpus"] = min(_SHARE_ON_GPU, share)
    left = min(core - count * taken["num_cpus"] for core, count in zip(cores, counts, strict=True))
    return Workers(platform, sum(counts), taken, _reading_cpus(left))


def _reading_cpus(left: float) -> float:
    """Processors of a task that reads or writes, where so many are left of a machine."""
    return min(_READING_CPUS, _READING_SHARE * left)


def worker_name() -> str:
    """The machine and process that this is, for the manifest."""
    return f"{socket.gethostname()}:{os.getpid()}"
