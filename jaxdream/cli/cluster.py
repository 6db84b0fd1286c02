"""What ``--cluster`` needs in all commands; ``batch --cluster``, which returns the exit code."""

import argparse
from typing import TYPE_CHECKING

from jaxdream.cli import session
from jaxdream.cli.batch import asked_suffix, checked_settings, ended, follow
from jaxdream.cli.exit_codes import DONE
from jaxdream.cli.objective_options import asked_objective, dream_settings
from jaxdream.errors import JaxdreamError
from jaxdream.settings import Compute, SourceSettings

if TYPE_CHECKING:
    from jaxdream.models.network import Network


def check_cluster(options: argparse.Namespace) -> None:
    """Make sure that Ray is installed and an address can be one; early, as loading takes a while.

    Raises:
        JaxdreamError: it is not, or cannot.
    """
    from jaxdream.cluster.engine import check_address, ray_data

    check_address(options.cluster)
    ray_data()


def load_for_workers(options: argparse.Namespace, compute: Compute) -> "Network":
    """The network that the options ask for, to be sent to the workers of a cluster."""
    # The accelerators are the workers'; this process only hands out the work.
    session.start_jax("cpu", None)
    # The workers know what "auto" means for them.
    here = compute.replace(precision=None) if compute.precision == "auto" else compute
    return session.load(options, here)


def dream_on_cluster(options: argparse.Namespace) -> int:
    from jaxdream.cluster.storage import is_local, local_path

    check_cluster(options)
    source, compute = checked_settings(options)
    if options.output == "":
        raise JaxdreamError("--output is empty: name a folder, or a URL")
    if is_local(options.output):
        session.check_folder(local_path(options.output))
    return _dream(options, source, compute)


def _dream(options: argparse.Namespace, source: SourceSettings, compute: Compute) -> int:
    model = load_for_workers(options, compute)

    from jaxdream.cluster.run import dream_places
    from jaxdream.folder.worker import Progress

    progress = Progress()
    rows = dream_places(
        model,
        options.inputs,
        options.output,
        asked_objective(options, model),
        settings=dream_settings(options),
        source=source,
        compute=compute.replace(shard=None) if compute.shard == "pictures" else compute,
        lists=options.lists,
        suffix=asked_suffix(options),
        shards=options.shards,
        overwrite=options.overwrite,
        max_batch=options.batch,
        address=options.cluster,
        device=options.device,
        progress=progress,
        notify=session.say,
    )
    code = DONE
    with session.running(options.output.rstrip("/").rpartition("/")[2]) as run:
        code = follow(
            run, rows, progress, lambda row: row.reason if row.status == "failed" else None
        )
    return ended(run, code, progress, options.output, one_device=False)
