"""What Ray's workers do for ``dream_places``: plan, load, dream, save.

A row of the dataset is first the number of a part of the list, then a ``Work``, a batch of
pictures, which is loaded, dreamed and written as one. Each stage can be done again for the same row
with the same result, and is, where a machine is lost. ``shards`` has what comes last where dreams
go into shards.
"""

import hashlib
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxdream.cluster.engine import worker_name
from jaxdream.cluster.entries import Entry, entry_bytes, forget_tables
from jaxdream.cluster.listing import Listed, Parts
from jaxdream.cluster.manifest import Part, Row, rows_between
from jaxdream.cluster.shards import kept_dreams, shard_outputs
from jaxdream.cluster.storage import StoreError, read_if_there, write_place
from jaxdream.cluster.tries import MOST_TRIES, Counting, gone
from jaxdream.cluster.work import PlaceWork, Planning, Work
from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import as_line, reason
from jaxdream.folder.inputs import Input
from jaxdream.folder.pipeline import Pipeline
from jaxdream.folder.run import picture_seed, plan_jobs
from jaxdream.folder.targets import TargetError
from jaxdream.folder.worker import Loaded, PictureFile
from jaxdream.images.picture_files import is_own_text, recipe_text_in
from jaxdream.images.pixels import to_levels
from jaxdream.models.network import Network
from jaxdream.objectives import Objective
from jaxdream.settings import Compute


def use_processor() -> None:
    """Keep JAX off the accelerators in a process that only reads or writes."""
    import jax

    jax.config.update("jax_platforms", "cpu")


class Plan:
    """A part of the list becomes batches, from the headers of its pictures."""

    def __init__(
        self,
        work: PlaceWork,
        planning: Planning,
        parts: Parts,
        known: Sequence[Part],  # of the manifest
        network: Callable[[], tuple[Network, Objective]],
        compute: Compute,
    ) -> None:
        self._work, self._planning, self._parts, self._known = work, planning, parts, known
        self._network, self._compute = network, compute

    def __call__(self, row: Mapping[str, int]) -> Iterator[dict[str, bytes]]:
        use_processor()
        number = int(row["part"])
        listed = self._named(number, self._parts.part(number))
        by_name = {one.entry.name: one.entry for one in listed}
        names = list(by_name)
        before = rows_between(self._work.place, names[0], names[-1], self._known)
        kept = {}
        if self._work.shards is not None:
            outputs = {one.entry.name: one.output for one in listed}
            kept = kept_dreams(self._work, outputs, before)
        model, objective = self._network()
        jobs, unusable = plan_jobs(
            replace(self._work, entries=by_name),
            [self._file(one) for one in listed], model, objective, self._compute,
            **self._planning._asdict(),
        )  # fmt: skip
        for job in jobs:
            chosen = [file.input.relative_path for file in job.files]
            entries = tuple(by_name[name] for name in chosen)
            rows = {name: before[name] for name in chosen if name in before}
            there = {name: kept[name] for name in chosen if name in kept}
            yield {"work": Work(number, entries, job.files, job, rows, there).dumps()}
        failed = [
            failed_row(self._work, by_name[file.input.relative_path], file, error)
            for file, error in unusable
        ]
        if failed:
            yield {"work": Work(number, (), (), rows=failed).dumps()}

    def _named(self, number: int, listed: list[Listed]) -> list[Listed]:
        """A part of the list, with the names that its dreams have where they are written."""
        if self._work.shards is None:
            return listed
        outputs = shard_outputs(number, [one.output for one in listed])
        return [one._replace(output=name) for one, name in zip(listed, outputs, strict=True)]

    def _file(self, one: Listed) -> PictureFile:
        # Messages call a picture by its name: its place may be no path.
        name = one.entry.name
        seed = picture_seed(self._work.source.seed, name)
        return PictureFile(Input(Path(name), name), one.output, seed)


class Load:
    """The pictures of a batch are read and decoded, as far as they are still to be dreamed."""

    def __init__(self, work: PlaceWork, tries: Counting) -> None:
        self._work, self._tries = work, tries

    def __call__(self, row: Mapping[str, bytes]) -> dict[str, bytes]:
        use_processor()
        part: Work = pickle.loads(row["work"])
        if part.kept:
            forget_tables()
        for slot, done in _one_by_one(part, range(len(part.files)), "load", self._tries, self._of):
            if isinstance(done, Loaded):
                part.loaded[slot] = done
            elif isinstance(done, Row):
                part.rows.append(done)
            else:
                part.rows.append(failed_row(self._work, part.entries[slot], part.files[slot], done))
        part.before, part.kept = {}, {}
        return {"work": part.dumps()}

    def _of(self, part: Work, slots: Sequence[int]) -> Iterator[tuple[int, Loaded | Row]]:
        work = self._work
        for slot in slots:
            entry, file, sha256 = part.entries[slot], part.files[slot], ""
            try:
                content = entry_bytes(entry)
                sha256 = hashlib.sha256(content).hexdigest()
                yield slot, self._wanted(part, slot, content, sha256)
            except TargetError as error:
                yield slot, _row(work, entry, file, sha256, status="stopped", reason=str(error))
            except Exception as error:
                yield slot, failed_row(work, entry, file, error, sha256)

    def _wanted(self, part: Work, slot: int, content: bytes, sha256: str) -> Loaded | Row:
        """The picture, or the row of one that is done already.

        Raises:
            JaxdreamError: it cannot be decoded, or a file of others is where its dream would go.
        """
        entry, file = part.entries[slot], part.files[slot]
        work = self._work
        before = part.before.get(entry.name)
        existing = None if work.overwrite else self._existing(part, slot)
        if existing is None:
            return work.decoded(file, content)
        made = hashlib.sha256(existing).hexdigest()
        if before is not None and before.output_sha256 == made:
            if (before.settings, before.input_sha256) == (work.key, sha256):
                skipped = before._replace(status="skipped", worker="")
                return self._in_its_place(part, slot, existing, skipped)
            return work.decoded(file, content)
        loaded = work.decoded(file, content)
        try:
            text = recipe_text_in(existing, file.output)
        except JaxdreamError:  # damaged, or no picture
            text = None
        shapes = "" if part.job is None else part.job.batch.buckets.text()
        if text is not None and text == work.recipe(loaded, shapes).to_json():
            skipped = _row(work, entry, file, sha256, status="skipped", output_sha256=made)
            return self._in_its_place(part, slot, existing, skipped)
        if before is None and not is_own_text(text):
            raise JaxdreamError(
                f"{work.target(file)} exists and is not known to be a dream of "
                f"{entry.label}: move it away, choose another output folder, or give --overwrite"
            )
        return loaded

    def _existing(self, part: Work, slot: int) -> bytes | None:
        """The bytes of the dream that there is of a picture."""
        kept = part.kept.get(part.entries[slot].name)
        content = read_if_there(self._work.target(part.files[slot]))
        if content is not None or kept is None:
            return content
        try:
            return entry_bytes(kept)
        except StoreError:
            raise
        except JaxdreamError:  # damaged, or just written anew: as if there were none
            return None

    def _in_its_place(self, part: Work, slot: int, content: bytes, row: Row) -> Row:
        """The row of a dream that there is; one of another shard, or name, is put where it goes.

        Raises:
            TargetError: nothing more can be written there.
        """
        file, kept = part.files[slot], part.kept.get(part.entries[slot].name)
        if kept is not None and kept.name != file.output:
            write_place(self._work.target(file), content)
        if row.output != file.output:  # which the manifest does not know
            now = {"worker": worker_name(), "finished": time.time()}
            row = row._replace(output=file.output, **now)
        return row


class Dream:
    """The pictures of a batch are dreamed, by an actor of Ray on its accelerator."""

    def __init__(
        self,
        work: PlaceWork,
        network: Callable[[], tuple[Network, Objective]],
        compute: Compute,
        tries: Counting,
        platform: str,
    ) -> None:
        from jaxdream.execution.sharding import chosen_sharding

        start_worker(platform)
        model, objective = network()
        sharding = chosen_sharding(compute.shard)
        if sharding is not None:
            model, objective = sharding.replicate((model, objective))
        self._work, self._tries = work, tries
        self._pipeline = Pipeline(work, model, objective, compute, sharding)

    def __call__(self, row: Mapping[str, bytes]) -> dict[str, bytes]:
        from jaxdream.execution import compile_cache

        part: Work = pickle.loads(row["work"])
        part.worker = worker_name()
        wanted, part.loaded = part.loaded, {}
        self._dreamed = wanted
        for slot, done in _one_by_one(part, sorted(wanted), "dream", self._tries, self._of):
            if isinstance(done, Loaded):
                part.loaded[slot] = done
                continue
            sha256 = wanted[slot].picture.sha256
            entry, file = part.entries[slot], part.files[slot]
            part.rows.append(failed_row(self._work, entry, file, done, sha256))
        compile_cache.record()
        return {"work": part.dumps()}

    def _of(self, part: Work, slots: Sequence[int]) -> Iterator[tuple[int, Loaded | Exception]]:
        assert part.job is not None
        slot_of = {file.output: slot for slot, file in enumerate(part.files)}
        wanted = {slot: self._dreamed[slot] for slot in slots}
        try:
            for batch, dreamed in self._pipeline.dream(part.job, wanted):
                slot = slot_of[dreamed.loaded.file.output]
                if dreamed.error is not None or dreamed.picture is None:
                    yield slot, JaxdreamError(dreamed.error or "no picture was computed")
                    continue
                part.shapes[slot] = batch.buckets.text()
                part.seconds[slot] = dreamed.seconds
                levels = to_levels(dreamed.picture, name=dreamed.loaded.file.output)
                picture = replace(dreamed.loaded.picture, pixels=levels.astype(np.float32))
                yield slot, Loaded(dreamed.loaded.file, picture)
        except Exception as error:  # such as XLA's, for want of memory
            for slot in slots:
                if slot not in part.shapes:
                    yield slot, error


class Save:
    """The dreams of a batch are encoded and written."""

    def __init__(self, work: PlaceWork) -> None:
        self._work = work

    def __call__(self, row: Mapping[str, bytes]) -> dict[str, bytes]:
        use_processor()
        part: Work = pickle.loads(row["work"])
        for slot, loaded in part.loaded.items():
            part.rows.append(self._saved(part, slot, loaded))
        return {"rows": pickle.dumps((part.part, part.rows))}

    def _saved(self, part: Work, slot: int, loaded: Loaded) -> Row:
        entry, file, work = part.entries[slot], part.files[slot], self._work
        sha256 = loaded.picture.sha256
        try:
            content = work.encoded(loaded, loaded.picture.pixels, part.shapes[slot])
            write_place(work.target(file), content)
        except TargetError as error:
            return _row(work, entry, file, sha256, status="stopped", reason=str(error))
        except JaxdreamError as error:
            return failed_row(work, entry, file, error, sha256)
        return _row(
            work, entry, file, sha256, status="dreamed", worker=part.worker,
            output_sha256=hashlib.sha256(content).hexdigest(), seconds=part.seconds[slot],
        )  # fmt: skip


def start_worker(platform: str) -> None:
    """Choose the platform and keep compiled programs, before JAX computes in a worker."""
    import jax

    from jaxdream.execution import compile_cache

    jax.config.update("jax_platforms", {"gpu": "cuda,rocm"}.get(platform, platform))
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):  # which JAX itself has read
        compile_cache.use(compile_cache.programs_folder())


def failed_row(
    work: PlaceWork, entry: Entry, file: PictureFile, error: Exception, sha256: str = ""
) -> Row:
    """The row of a picture that could not be dreamed."""
    text = str(error) if isinstance(error, JaxdreamError) else _unexpected(error)
    if file.input.relative_path not in text and entry.label not in text:
        text = f"{entry.label}: {text}"
    return _row(work, entry, file, sha256, status="failed", reason=as_line(text))


def _unexpected(error: Exception) -> str:
    return f"{type(error).__name__}: {reason(error)}"


def _row(
    work: PlaceWork, entry: Entry, file: PictureFile, sha256: str, *, status: str, **more: Any
) -> Row:
    empty = {"output_sha256": "", "reason": "", "seconds": 0.0, "worker": worker_name()}
    return Row(
        input=entry.name, place=entry.place, input_sha256=sha256, output=file.output,
        settings=work.key, seed=file.seed, status=status, finished=time.time(), **empty | more,
    )  # fmt: skip


def _one_by_one(
    part: Work,
    slots: Sequence[int],
    stage: str,
    tries: Counting,
    run: Callable[[Work, Sequence[int]], Iterator[tuple[int, Any]]],
) -> Iterator[tuple[int, Any]]:
    """What comes of pictures in these slots: of all at once, or if that ended a worker, singly.

    In the same slot a picture has the same dream, alone or in company. One that was begun as often
    as ``MOST_TRIES`` without an end is a ``JaxdreamError``.
    """
    slots = list(slots)
    if not slots:
        return
    names = {slot: f"{stage}/{part.files[slot].output}" for slot in slots}
    before = tries.begun(list(names.values()))
    if not any(before):
        tries.begin(list(names.values()))
        yield from run(part, slots)
        tries.finish(list(names.values()))
        return
    for slot, count in zip(slots, before, strict=True):
        if count >= MOST_TRIES:
            yield slot, JaxdreamError(gone(count))
            continue
        tries.begin([names[slot]])
        yield from run(part, [slot])
        tries.finish([names[slot]])
