"""The machines of a cluster: what one says about itself, and how a network gets to all of them."""

from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar

from jaxdream.cluster.engine import Workers
from jaxdream.cluster.optional import imported
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason
from jaxdream.models.network import Network
from jaxdream.models.precision import resolve_precision
from jaxdream.recipe import Provenance, provenance
from jaxdream.settings import Compute

Value = TypeVar("Value")

_RETRIES = 10  # of the first question, whose machine may be lost


class Machine(NamedTuple):
    """What a worker of the cluster says about itself."""

    platform: str  # as JAX names it
    precision: str | None  # what "auto" means there
    budget_bytes: int
    devices: int


class FromStore(Generic[Value]):
    """A value in Ray's object store, such as a network; each worker reads it once."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def __call__(self) -> Value:
        ray = imported("ray")

        return ray.get(self._reference)


def check_network(model: Network) -> None:
    """Make sure that a network can go to other machines.

    Raises:
        JaxdreamError: it cannot.
    """
    try:
        imported("ray.cloudpickle").dumps(model)
    except Exception as error:  # of the network's own parts: any type
        raise JaxdreamError(
            f"the network cannot be sent to other machines: {reason(error)}"
        ) from error


def ask_machine(workers: Workers, compute: Compute) -> Machine:
    """What a worker of the cluster says about itself.

    Raises:
        JaxdreamError: JAX there does not have the accelerator that Ray gave it, or the process ends
            every time.
    """
    ray = imported("ray")

    ask = ray.remote(max_retries=_RETRIES, **workers.options)(_about_this_machine)
    try:
        return ray.get(ask.remote(compute, workers.platform))
    except ray.exceptions.RayTaskError as error:
        raise JaxdreamError(
            f"JAX does not compute on the cluster's {workers.platform}: {reason(error.cause)}"
        ) from None
    except ray.exceptions.RayError as error:  # it ended every time
        raise JaxdreamError(f"no worker of the cluster starts: {reason(error)}") from error


def _about_this_machine(compute: Compute, platform: str) -> Machine:
    """In a worker: what it has."""
    from jaxdream.cluster.stages import start_worker

    start_worker(platform)
    import jax

    from jaxdream.execution.memory import available
    from jaxdream.execution.sharding import chosen_sharding

    sharding = chosen_sharding(compute.shard)
    budget = available(compute.memory, sharding and sharding.devices)
    precision = None if compute.precision is None else resolve_precision(compute.precision)
    # In whole megabytes, as ``batch`` plans.
    return Machine(
        jax.default_backend(), precision, max(budget, 0) // 10**6 * 10**6,
        sharding.pictures if sharding else 1,
    )  # fmt: skip


def made_by_workers(model: Network, platform: str) -> Provenance:
    """What recipes say of dreams that workers on a platform, as JAX names it, make."""
    return replace(provenance(model), platform=platform)


def network_for(machine: Machine, model: Network, compute: Compute) -> Network:
    """A network as workers compute it: with the precision that "auto" means for them."""
    if compute.precision == "auto" and machine.precision is not None:
        return model.with_precision(machine.precision)  # pyright: ignore[reportArgumentType]
    return model
