"""``jaxdream batch --cluster``; returns the exit code."""

import argparse

from jaxdream.cli import session
from jaxdream.cli.batch import GOES_ON, closing_uninterrupted, counted
from jaxdream.cli.exit_codes import INTERRUPTED, SOME_FAILED
from jaxdream.cli.objective_options import asked_objective, check_objective, dream_settings
from jaxdream.cli.options import read_settings
from jaxdream.errors import JaxdreamError
from jaxdream.settings import Compute, SourceSettings


def dream_on_cluster(options: argparse.Namespace) -> int:
    from jaxdream.cluster.engine import check_address, ray_data
    from jaxdream.cluster.storage import is_local, local_path

    check_address(options.cluster)
    ray_data()  # now, since the rest takes a while
    check_objective(options)
    source, compute = read_settings(options, SourceSettings), read_settings(options, Compute)
    source.check_with(dream_settings(options))
    session.guide_files(options.guide, compute.memory)
    session.mask_files(source.mask, compute.memory)
    if options.output == "":
        raise JaxdreamError("--output is empty: name a folder, or a URL")
    if is_local(options.output):
        session.check_folder(local_path(options.output))
    # The accelerators are the workers'; this process only hands out the work.
    session.start_jax("cpu", None)
    return _dream(options, source, compute)


def _dream(options: argparse.Namespace, source: SourceSettings, compute: Compute) -> int:
    # The workers know what "auto" means for them.
    here = compute.replace(precision=None) if compute.precision == "auto" else compute
    model = session.load(options, here)

    from jaxdream.cluster.run import dream_places
    from jaxdream.folder.worker import Progress, TargetError

    progress, code = Progress(), 0
    rows = dream_places(
        model,
        options.inputs,
        options.output,
        asked_objective(options, model),
        settings=dream_settings(options),
        source=source,
        compute=compute.replace(shard=None) if compute.shard == "pictures" else compute,
        lists=options.lists,
        suffix=None if options.format == "same" else f".{options.format}",
        overwrite=options.overwrite,
        max_batch=options.batch,
        address=options.cluster,
        device=options.device,
        progress=progress,
        notify=session.say,
    )
    with session.running(options.output.rstrip("/").rpartition("/")[2]) as run:
        try:
            with closing_uninterrupted(rows):
                for row in rows:
                    if row.status == "failed":
                        session.say(row.reason)
                    run.show(counted(progress), progress.done)
        except TargetError as error:
            session.say(f"{error}: stopped; {GOES_ON}")
            code = SOME_FAILED
    line = (
        f"{options.output}: {progress.dreamed} dreamed, {progress.skipped} done before, "
        f"{progress.failed} failed of {progress.pictures} pictures"
    )
    if progress.dreamed:
        rate = progress.dreamed / max(progress.seconds, 1e-9)
        line += f" in {progress.seconds:.1f} s: {rate:.2f} pictures/s"
    session.report(line)
    if run.interrupted:
        session.say(f"interrupted: {GOES_ON}")
        return INTERRUPTED
    return code or (SOME_FAILED if progress.failed else 0)
