"""Parquet mirrors on disk: where they lie, and their rows, one at a time.

A mirror is one split of a data set as somebody put it on the model hub: a folder of `*.parquet`
files, at any depth, whose rows count in the order of the files' names. The files lie in
`root/mirrors/<owner>--<name>/` as they were downloaded, the images that were taken out of them in
`root/mirror_images/<owner>--<name>/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from samr1.core.errors import UserError

# One row of a mirror: what to call it in an error, and its cells by column.
Row = tuple[str, dict[str, pa.Scalar]]


def shards_folder(root: Path, mirror: str) -> Path:
    """Where the files of `mirror` (owner/name) are put."""
    return root / "mirrors" / mirror.replace("/", "--")


def images_folder(root: Path, mirror: str) -> Path:
    """Where the images of `mirror` (owner/name) are, once taken out."""
    return root / "mirror_images" / mirror.replace("/", "--")


def read_rows(
    folder: Path, columns: Sequence[str], optional: Sequence[str] = (), desc: str = ""
) -> Iterator[Row]:
    """The rows of a mirror with `columns` and those of `optional` that it has, in order.

    `name.leaf` reads one field of a struct column alone. One row is in memory at a time: a mask of
    booleans takes 4 bytes a pixel and more while it is decoded, and a row group has a hundred of
    them. Raises UserError where there is no file, or one is broken or lacks a column.
    """
    paths = sorted(folder.rglob("*.parquet"))
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
                yield f"{path}, row {number}", cells
                bar.update()


def _open(path: Path, columns: Sequence[str]) -> pq.ParquetFile:
    try:
        shard = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file ({error}); fetch it again.") from error
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
    try:
        for group in range(shard.num_row_groups):
            yield from shard.iter_batches(batch_size=1, row_groups=[group], columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: broken ({error}); fetch it again.") from error
