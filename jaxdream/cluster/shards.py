"""Shards that dreams are written into: tar files as WebDataset reads them, or Parquet files.

A part of the list has so many shards, and which dream is where follows from the list alone: so do
the bytes of a shard, as those of its dreams do. Until a part is whole, its dreams are files in
``.jaxdream-parts``; then a shard is written from these, and from dreams that it had before.
"""

import hashlib
import io
import itertools
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from jaxdream.cluster.entries import Entry, entry_bytes, forget_tables, shard_entries
from jaxdream.cluster.listing import PART
from jaxdream.cluster.manifest import Row
from jaxdream.cluster.optional import imported
from jaxdream.cluster.storage import (
    StoreError,
    files_below,
    is_local,
    joined,
    local_path,
    opened_store,
    patiently,
    read_place,
    remove_file,
    remove_folder,
    write_place_by,
)
from jaxdream.cluster.work import PlaceWork
from jaxdream.errors import JaxdreamError
from jaxdream.folder.inputs import real_path
from jaxdream.images.picture_files import is_own_text, recipe_text_in_header

KINDS = ("tar", "parquet")
PICTURES = 512  # of a shard: an eighth of a part
_GROUP_BYTES = 8 << 20  # of pictures in a row group: what is read where one of them is looked for
_TOLD = ("input", "input_sha256", "output_sha256", "settings", "seed")  # of a row, in its shard


class _Dream(NamedTuple):
    """A dream in a shard."""

    name: str  # from the shard on
    content: bytes  # of its file
    told: dict[str, Any]  # what the shard says of it

    @classmethod
    def of(cls, row: Row, content: bytes) -> "_Dream":
        name = row.output.partition("/")[2]
        told = {column: getattr(row, column) for column in _TOLD}
        # Names of files may be bytes that are not UTF-8; the texts of a shard may not.
        told["input"] = _encodable(row.input)
        recipe = recipe_text_in_header(content, row.output)
        return cls(name, content, {"name": name, **told, "recipe": recipe})


def shard_outputs(part: int, outputs: Sequence[str]) -> list[str]:
    """The dreams of a part of the list as they are named in shards, SHARD/NAME, in their order.

    NAME without its ending is what WebDataset takes for the key: it has no dot, and no other dream
    of the shard has it.

    Args:
        outputs: their names as files.
    """
    first = part * (PART // PICTURES)
    named: list[str] = []
    for number, begin in enumerate(range(0, len(outputs), PICTURES), first):
        taken: set[str] = set()
        for output in outputs[begin : begin + PICTURES]:
            path = PurePosixPath(_encodable(output))
            plain = str(path.with_name(path.stem.replace(".", "_")))
            keys = itertools.chain([plain], (f"{plain}-{n}" for n in itertools.count(2)))
            key = next(key for key in keys if key not in taken)
            taken.add(key)
            named.append(f"shard-{number:06}/{key}{path.suffix}")
    return named


def shard_files(kind: str, count: int) -> Iterator[str]:
    """The names of the shards of a list of so many pictures."""
    for number in range(-(-count // PICTURES)):
        yield f"shard-{number:06}.{kind}"


def check_kind(kind: str | None) -> None:
    """Make sure that shards of a kind can be written, if any are.

    Raises:
        JaxdreamError: they cannot.
    """
    if kind not in (None, *KINDS):
        raise JaxdreamError(f"shards are {' or '.join(KINDS)}, not {kind!r}")


def check_not_given(work: PlaceWork, count: int, given: Iterable[str]) -> None:
    """Make sure that no shard of a list of so many pictures takes the place of one that is read.

    Args:
        given: places of shards.

    Raises:
        JaxdreamError: one does.
    """
    assert work.shards is not None
    read = {_real(place) for place in given}
    for name in shard_files(work.shards, count) if read else ():
        if _real(joined(work.place, name)) in read:
            raise JaxdreamError(
                f"{joined(work.place, name)} is one of the shards to dream: choose another output "
                "folder"
            )


def shard_beyond(work: PlaceWork, count: int) -> str | None:
    """The place of the next shard after those of so many pictures, if there is one."""
    place = _place(work, f"shard-{-(-count // PICTURES):06}")
    store, path = opened_store(place)
    store.invalidate_cache()
    return place if patiently(place, lambda: store.exists(path)) else None


def kept_dreams(
    work: PlaceWork, outputs: Mapping[str, str], before: Mapping[str, Row]
) -> dict[str, Entry]:
    """The dreams of some pictures that are in shards already, by the pictures' names.

    Args:
        outputs: what the dreams are to be, SHARD/NAME, by the pictures' names.
        before: of the manifest, by name. If the list has changed, a dream may be in another shard.

    Raises:
        JaxdreamError: where one of the shards is to be written there is a file of others.
    """
    if work.overwrite:
        return {}
    own = {_stem(output) for output in outputs.values()}
    others = {_stem(row.output) for row in before.values()}
    dreams: dict[str, Entry] = {}
    for stem in sorted(own | {other for other in others if other.startswith("shard-")}):
        found, whole = _dreams_in(work, stem)
        if stem in own - others and (found or not whole):
            _check_ours(_place(work, stem), found)
        dreams |= found
    kept: dict[str, Entry] = {}
    for name, output in outputs.items():
        where = before[name].output if name in before else output
        if (entry := dreams.get(where) or dreams.get(output)) is not None:
            kept[name] = entry
    return kept


def gather(work: PlaceWork, rows: Sequence[Row]) -> None:
    """Write the shards of a part of the list that are not whole yet.

    Args:
        rows: of all pictures of the part. Their dreams are files, or in their shards.

    Raises:
        TargetError: nothing more can be written.
        JaxdreamError: a dream is not there any more.
    """
    forget_tables()
    ordered = sorted(rows, key=lambda row: row.input)
    for stem, group in itertools.groupby(ordered, key=lambda row: _stem(row.output)):
        _gather_shard(work, stem, [row for row in group if row.output_sha256])


def _gather_shard(work: PlaceWork, stem: str, rows: Sequence[Row]) -> None:
    place, loose = _place(work, stem), joined(work.files_place, stem)
    files = files_below(loose)
    kept, whole = _dreams_in(work, stem)
    if not files and whole and list(kept) == [row.output for row in rows]:
        return

    def dreams() -> Iterator[_Dream]:
        for row in rows:
            yield _Dream.of(row, _content(row, loose, files, kept))

    if rows:
        write = _write_tar if work.shards == "tar" else _write_table
        write_place_by(place, lambda file: write(file, dreams()))
        forget_tables()
    elif kept:
        remove_file(place)  # none of its pictures can be dreamed any more
    if files:
        remove_folder(loose)


def _content(row: Row, loose: str, files: set[str], kept: Mapping[str, Entry]) -> bytes:
    """The bytes of a dream, from its file or from the shard that has it."""
    name = row.output.partition("/")[2]
    if name in files:
        content = read_place(joined(loose, name))
        if hashlib.sha256(content).hexdigest() == row.output_sha256:
            return content
    if row.output in kept:  # so too where the shard is written, and its files are not all deleted
        content = entry_bytes(kept[row.output])
        if hashlib.sha256(content).hexdigest() == row.output_sha256:
            return content
    raise JaxdreamError(f"{joined(loose, name)} has changed while it was waited for: run it again")


def _dreams_in(work: PlaceWork, stem: str) -> tuple[dict[str, Entry], bool]:
    """The dreams of a shard by their names, SHARD/NAME, and whether it can be read to its end."""
    place, found = _place(work, stem), {}
    opened_store(place)[0].invalidate_cache()  # another process may have written it
    try:
        for entry in shard_entries(place):
            name = f"{stem}/{entry.name.partition('/')[2]}"
            found[name] = entry._replace(name=name)
    except StoreError:
        raise
    except JaxdreamError as error:
        return found, "no such file" in str(error)
    return found, True


def _check_ours(place: str, found: Mapping[str, Entry]) -> None:
    """Make sure that a shard which no manifest knows is one of dreams.

    Raises:
        JaxdreamError: it is not.
    """
    try:
        first = next(iter(found.values()), None)
        if first and is_own_text(recipe_text_in_header(entry_bytes(first), place)):
            return
    except StoreError:
        raise
    except JaxdreamError:  # damaged, or no picture
        pass
    raise JaxdreamError(
        f"{place} exists and is not known to be of dreams: move it away, choose another output "
        "folder, or give --overwrite"
    )


def _write_tar(file: BinaryIO, dreams: Iterable[_Dream]) -> None:
    # Members have no owner and no time, and so the bytes follow from the dreams.
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for dream in dreams:
            told = dream.told | {"recipe": json.loads(dream.told["recipe"] or "null")}
            said = json.dumps(told, separators=(",", ":")).encode("ascii")
            key = str(PurePosixPath(dream.name).with_suffix(".json"))
            for name, content in ((dream.name, dream.content), (key, said)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def _write_table(file: BinaryIO, dreams: Iterable[_Dream]) -> None:
    pa = imported("pyarrow")
    parquet = imported("pyarrow.parquet")

    kinds = {"image": pa.binary(), "seed": pa.int64()}
    columns = ("name", "image", *_TOLD, "recipe")
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
    # The pictures are compressed already; of statistics, the bytes of the smallest would be one.
    options = {"compression": "none", "use_dictionary": False, "write_statistics": ["name"]}
    with parquet.ParquetWriter(file, schema, **options) as writer:
        group: list[dict[str, Any]] = []
        for dream in dreams:
            group.append(dream.told | {"image": dream.content})
            if sum(len(one["image"]) for one in group) >= _GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _place(work: PlaceWork, stem: str) -> str:
    return joined(work.place, f"{stem}.{work.shards}")


def _real(place: str) -> str | None:
    return real_path(local_path(place)) if is_local(place) else place


def _stem(output: str) -> str:
    return output.partition("/")[0]


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
