"""The machine that a benchmark runs on, for the top of a table."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import jax
import psutil

from benchmark.results import Machine


def describe_machine(torch_device: str | None = None) -> Machine:
    """This machine, with JAX's device and PyTorch's."""
    device = jax.devices()[0]
    packages = ["jaxdream", "jax", "jaxlib", "flax"]
    if torch_device is not None:
        packages.append("torch")
    return Machine(
        processor=_processor(),
        cores=usable_cores(),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        device=f"{device.platform}: {device.device_kind}",
        torch_device=torch_device,
        versions={name: version(name) for name in packages},
    )


def usable_cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_cores(count: int | None) -> int:
    """Keep this process and its children on so many processors; returns how many there are.

    Must run before JAX is used, because its thread pool has one thread for each.
    """
    if count is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    return usable_cores()


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        fields = dict(
            line.replace("\t", "").split(":", 1)
            for line in path.read_text().split("\n\n")[0].splitlines()
            if ":" in line
        )
        if {"model name", "cpu family", "model"} <= fields.keys():
            family = f"family {fields['cpu family'].strip()} model {fields['model'].strip()}"
            return f"{fields['model name'].strip()} ({family})"
    return platform.processor() or platform.machine()
