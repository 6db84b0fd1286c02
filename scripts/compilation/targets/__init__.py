"""The TPUs and GPUs that programs can be compiled for, and how JAX is told of them.

Imports no JAX: what its plugins read from the environment has to be set before.
"""

import importlib.util
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

ENVIRONMENT = {
    # JAX itself computes on the CPU: there is nothing else.
    "JAX_PLATFORMS": "cpu",
    # libtpu would ask the cloud's server which machine this is, and wait for the answer.
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    # JAX's plugin would refuse to work without a driver.
    "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
}


@dataclass(frozen=True)
class Target:
    """A kind of device."""

    name: str  # on the command line
    title: str
    platform: Literal["tpu", "cuda"]  # as JAX calls it when it lowers a program

    @property
    def kind(self) -> str:
        """What JAX calls its platform when it runs there."""
        return "tpu" if self.platform == "tpu" else "gpu"

    @property
    def memory(self) -> int:
        """Bytes of the device's memory."""
        raise NotImplementedError

    @property
    def package(self) -> tuple[str, str]:
        """The module that has to be there, and what ``pip install`` calls it."""
        raise NotImplementedError

    @property
    def compiler(self) -> str:
        """The package that compiles, and its version."""
        raise NotImplementedError

    def missing(self) -> str | None:
        """What to install, in a line, if this Python cannot compile for it."""
        module, requirement = self.package
        if importlib.util.find_spec(module) is not None:
            return None
        return (
            f"{self.name} needs {module}: pip install '{requirement}', in a virtual environment "
            "of its own"
        )

    def devices(self, count: int) -> list[Any]:
        """So many described devices, joined as on one machine."""
        raise NotImplementedError

    def can_compute(self, precision: str) -> bool:
        """Whether there is a reason to compile in this precision: TPUs have no float16 units."""
        return self.platform != "tpu" or precision != "float16"


@dataclass(frozen=True)
class Tpu(Target):
    """A generation of Google's TPUs."""

    gigabytes: int  # of memory on each chip, from its page at cloud.google.com/tpu/docs

    @property
    def memory(self) -> int:
        return self.gigabytes * 10**9

    @property
    def package(self) -> tuple[str, str]:
        return "libtpu", "jax[tpu]"

    @property
    def compiler(self) -> str:
        return f"libtpu {version('libtpu')}"

    def devices(self, count: int) -> list[Any]:
        from jax.experimental import topologies

        grid = "2x2" if count <= 4 else "2x4"
        found = topologies.get_topology_desc(f"{self.name}:{grid}", platform="tpu")
        return list(found.devices)[:count]


@dataclass(frozen=True)
class Gpu(Target):
    """One of NVIDIA's GPUs, by a description that XLA reads."""

    @cached_property
    def description(self) -> str:
        return (Path(__file__).parent / f"{self.name}.txtpb").read_text()

    @property
    def memory(self) -> int:
        found = re.search(r"device_memory_size: (\d+)", self.description)
        assert found is not None
        return int(found[1])

    @property
    def package(self) -> tuple[str, str]:
        return "jax_cuda12_plugin", "jax[cuda12]"

    @property
    def compiler(self) -> str:
        return f"jax-cuda12-plugin {version('jax-cuda12-plugin')}"

    def devices(self, count: int) -> list[Any]:
        from jax.experimental import topologies

        grid = f"1x1x{count}"
        found = topologies.get_topology_desc(
            grid, platform="cuda", topology=grid, target_config=self.description
        )
        return list(found.devices)


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Tpu("v5e", "TPU v5e", "tpu", 16),
        Tpu("v6e", "TPU v6e", "tpu", 32),
        Gpu("h100", "H100 SXM", "cuda"),
        Gpu("a100", "A100 SXM", "cuda"),
        Gpu("t4", "T4", "cuda"),
    )
}
