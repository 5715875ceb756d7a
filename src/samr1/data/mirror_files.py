"""Parquet mirrors on disk: where they lie, and their rows, one at a time.

A mirror is one split of a data set as somebody put it on the model hub, owner/name@commit: a folder
of `*.parquet` files, at any depth, whose rows count in the order of the files' names. The files lie
in `root/mirrors/<owner>--<name>@<commit>/` as they were downloaded, the images that were taken out
of them in `root/mirror_images/` under the same name. A person may put them there too, and then
without a commit.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from samr1.core.errors import UserError, refusing
from samr1.core.hub import HubName, fetch_dataset_files, locate_dataset
from samr1.core.reading import BROKEN_PARQUET, open_parquet
from samr1.core.tree import walk

# One row of a mirror: its file, what to call it in an error, and its cells by column.
Row = tuple[Path, str, dict[str, pa.Scalar]]


def shards_folder(root: Path, mirror: str) -> Path:
    """Where the files of `mirror` are put."""
    return root / "mirrors" / _folder_name(mirror)


def images_folder(root: Path, mirror: str) -> Path:
    """Where the images of `mirror` are, once taken out."""
    return root / "mirror_images" / _folder_name(mirror)


def _folder_name(mirror: str) -> str:
    try:
        return locate_dataset(mirror).replace("/", "--")
    except ValueError as error:
        raise UserError(f"mirror {mirror!r}: {error}.") from error


def fetch_mirror(root: Path, mirror: str) -> Path:
    """Download the Parquet files of `mirror`, unless some are there; returns their folder.

    They appear all together, and what came before an interruption is gone on with. Raises UserError
    where the mirror has no commit, or the hub does not give it.
    """
    folder = shards_folder(root, mirror)
    if find_shards(folder):
        return folder
    name, at, revision = mirror.partition("@")
    if not at:
        raise UserError(
            f"{folder}: no Parquet files here, and {name} has no commit by which to fetch them; "
            f"write {name}@<commit> (huggingface_hub.dataset_info({name!r}).sha tells it), or put "
            "the files there."
        )
    part = folder.with_name(f".{folder.name}.part")
    fetch_dataset_files(HubName(name, revision), "*.parquet", part)
    if not find_shards(part):
        raise UserError(f"{mirror}: has no Parquet files; it is no mirror.")
    shutil.rmtree(part / ".cache", ignore_errors=True)  # the library's notes
    part.replace(folder)
    return folder


def find_shards(folder: Path) -> list[Path]:
    """The Parquet files of a mirror, in order; hidden ones and those in hidden folders are none."""
    found = sorted(path for path in walk(folder) if path.suffix == ".parquet")
    return [path for path in found if "/." not in f"/{path.relative_to(folder).as_posix()}"]


def cell_value(cell: pa.Scalar, column: str) -> Any:
    """The value of a cell; raises UserError where a text in it is no valid Unicode."""
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:
        raise UserError(f"its {column} is no valid Unicode.") from error


def read_rows(
    folder: Path, columns: Sequence[str], optional: Sequence[str] = (), desc: str = ""
) -> Iterator[Row]:
    """The rows of a mirror with `columns` and those of `optional` that it has, in order.

    `name.leaf` reads one field of a struct column alone. One row is in memory at a time: a mask of
    booleans takes 4 bytes a pixel and more while it is decoded, and a row group has a hundred of
    them. Raises UserError where there is no file, or one is broken or lacks a column.
    """
    paths = find_shards(folder)
    if not paths:
        raise UserError(f"{folder}: no Parquet files here; put those of the mirror into it.")
    with ExitStack() as stack:
        shards = [(path, stack.enter_context(_open(path, columns))) for path in paths]
        total = sum(shard.metadata.num_rows for _, shard in shards)
        bar = stack.enter_context(tqdm(total=total, desc=desc, unit="row", disable=None))
        for path, shard in shards:
            schema = shard.schema_arrow
            wanted = [*columns, *(name for name in optional if _has(schema, name))]
            for number, batch in enumerate(_batches(path, shard, wanted)):
                cells = {name: batch.column(name)[0] for name in batch.schema.names}
                yield path, f"{path}, row {number}", cells
                bar.update()


def _open(path: Path, columns: Sequence[str]) -> pq.ParquetFile:
    shard = open_parquet(path, "fetch it again")
    names = shard.schema_arrow.names
    missing = [name for name in columns if name not in names]
    if missing:
        raise UserError(f"{path}: lacks the column {missing[0]!r}; it has {', '.join(names)}.")
    return shard


def _has(schema: pa.Schema, column: str) -> bool:
    name, _, leaf = column.partition(".")
    if name not in schema.names:
        return False
    kind = schema.field(name).type
    return not leaf or (pa.types.is_struct(kind) and kind.get_field_index(leaf) >= 0)


def _batches(path: Path, shard: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a shard as batches of one, row group by row group."""
    for group in range(shard.num_row_groups):
        with refusing(f"{path}: {BROKEN_PARQUET}", "fetch it again"):
            yield from shard.iter_batches(batch_size=1, row_groups=[group], columns=columns)
