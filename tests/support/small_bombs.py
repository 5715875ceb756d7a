"""Small inputs that would fill the memory or take hours, read one by one in a process of its own.

It writes a line of JSON for each: its name, what was said of it, how many MB and seconds that took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from data_world import ref, save_image, write_reasonseg, write_refer
from own_world import stage, write_coco, write_labelme, write_table
from peak_memory import forget_peak, peak_mb
from picture_bombs import (
    class_indices,
    many_outlines,
    many_polygons,
    many_runs,
    many_shapes,
    mask_that_claims,
    mirror_that_claims,
    picture_in_a_pipe,
    picture_of_no_end,
    picture_of_tags,
    png_that_claims,
    resized_to_much,
    runs_that_claim,
    samples_that_claim,
    sparse,
    sparse_picture,
    webp_that_claims,
    write_samples,
    zigzag_inside,
    zigzag_polygon,
    zigzag_shape,
)

from samr1.config.errors import read_mapping
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.data import reasonseg, refer
from samr1.data.image_files import check_image
from samr1.data.own.reading import read_own
from samr1.evaluation.imports import import_predictions


def pickle_memo(root: Path) -> None:
    path = write_refer(root, [ref(1)])
    path.write_bytes(b"Nr\xff\xff\xff\x7f.")
    refer.read(root, "refcocog", "umd", "test")


def pickle_of_lists(root: Path) -> None:
    write_refer(root, [ref(1)]).write_bytes(b"(" + b"]" * 4_100_000 + b"l.")
    refer.read(root, "refcocog", "umd", "test")


def refs_of_memos(root: Path) -> None:
    write_refer(root, [ref(1)]).write_bytes(b"N" + b"\x94" * 60_000_000 + b".")
    refer.read(root, "refcocog", "umd", "test")


def wide_annotation(root: Path) -> None:
    text = '["\U0001f600' + "a" * 25_000_000 + '", ' + "[]," * 1_900_000 + "[]]"
    write_reasonseg(root).write_text(text)
    reasonseg.read(root, "val")


def json_of_lists(root: Path) -> None:
    write_reasonseg(root).write_bytes(b"[" + b"[]," * 4_100_000 + b"[]]")
    reasonseg.read(root, "val")


def write_instances(root: Path, content: str) -> None:
    write_refer(root, [ref(1)])
    (root / "refcocog" / "instances.json").write_text(content)
    refer.read(root, "refcocog", "umd", "test")


def instances_of_lists(root: Path) -> None:
    write_instances(root, '{"images": [], "annotations": [[' + "[]," * 13_000_000 + "[]]]}")


def instances_of_numbers(root: Path) -> None:
    write_instances(root, '{"info": [' + "0," * 4_000_000 + "0]}")


def instances_of_ids(root: Path) -> None:
    entries = ",".join(f'{{"id": {n}}}' for n in range(500_000))
    write_instances(root, f'{{"images": [{entries}]}}')


def one_long_annotation(root: Path) -> None:
    write_instances(root, '{"annotations": [{"id": 1, "segmentation": [' + "1.5," * 20_000_000)


def instances_of_texts(root: Path) -> None:
    write_instances(root, "{" + "".join(f'"{n}": "{"a" * 100_000}",' for n in range(300)))


def wide_coco(root: Path) -> None:
    write_coco(root)
    sparse(root / "instances.json", 900_000_000, b"\xff\xfe[\0")
    read_own(stage(root, "coco", file="instances.json"))


def wide_labelme(root: Path) -> None:
    write_labelme(root, "a", [])
    sparse(root / "a.json", 350_000_000, b'"', "\U0001f600".encode())
    read_own(stage(root, "labelme"))


def table_of_one_line(root: Path) -> None:
    write_table(root)
    sparse(root / "questions.csv", 150_000_000, b"\xef\xbb\xbf", "\U0001f600".encode())
    read_own(stage(root))


def table_of_blank_lines(root: Path) -> None:
    write_table(root)
    (root / "questions.jsonl").write_bytes(b"\n" * 2_000_000)
    read_own(stage(root, file="questions.jsonl"))


def table_of_columns(root: Path) -> None:
    write_table(root)
    (root / "questions.csv").write_text(",".join(map(str, range(1_000_000))))
    read_own(stage(root))


def results_of_lists(root: Path) -> None:
    (root / "a.json").write_text("[" + "[[]]," * 4_000_000 + "[]]")
    import_predictions(root / "a.json", write_samples(root), "mask")


def yaml_of_aliases(root: Path) -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (root / "a.yaml").write_text("\n".join(lines))
    read_mapping(root / "a.yaml")


def one_text_in_every_row(root: Path) -> None:
    group = pa.table({"text": ["a" * 1_000_000] * 10})
    with pq.ParquetWriter(root / "a.parquet", group.schema, compression="zstd") as writer:
        for _ in range(40):
            writer.write_table(group)
    read_table(root / "a.parquet")


def one_text_by_number(root: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), ["a" * 1_000_000])
    pq.write_table(pa.table({"text": text}), root / "a.parquet", compression="zstd")
    read_table(root / "a.parquet", pa.schema([("text", pa.string())]))


def one_large_text(root: Path) -> None:
    if not os.fork():  # what it takes to write it is another's
        table = pa.table({"text": ["a" * 310_000_000]})
        pq.write_table(table, root / "a.parquet", compression="zstd")
        os._exit(0)
    os.wait()
    read_table(root / "a.parquet")


def numbers_in_lists(root: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 500, pa.int32()), ["a" * 1_000_000])
    table = pa.table({"text": pa.ListArray.from_arrays([0, 500], texts)})
    pq.write_table(table, root / "a.parquet", compression="zstd")
    read_table(root / "a.parquet")


def rows_of_nothing(root: Path) -> None:
    group = pa.table({"text": pa.nulls(1_000_000)})
    with pq.ParquetWriter(root / "a.parquet", group.schema) as writer:
        for _ in range(3):
            writer.write_table(group)
    read_table(root / "a.parquet")


BOMBS = [
    instances_of_lists,
    instances_of_numbers,
    instances_of_ids,
    one_long_annotation,
    instances_of_texts,
    wide_coco,
    wide_labelme,
    table_of_one_line,
    table_of_blank_lines,
    table_of_columns,
    results_of_lists,
    refs_of_memos,
    wide_annotation,
    picture_of_no_end,
    picture_in_a_pipe,
    sparse_picture,
    png_that_claims,
    picture_of_tags,
    webp_that_claims,
    mask_that_claims,
    zigzag_shape,
    zigzag_polygon,
    zigzag_inside,
    runs_that_claim,
    many_outlines,
    many_runs,
    many_polygons,
    many_shapes,
    class_indices,
    pickle_memo,
    pickle_of_lists,
    json_of_lists,
    yaml_of_aliases,
    one_text_in_every_row,
    one_text_by_number,
    one_large_text,
    numbers_in_lists,
    rows_of_nothing,
    samples_that_claim,
    resized_to_much,
    mirror_that_claims,
]


def try_one(bomb: Callable[[Path], None], root: Path) -> dict[str, Any]:
    """What was said of a bomb, the memory that it took and the time."""
    root.mkdir()
    forget_peak()
    before, start = peak_mb(), time.process_time()
    try:
        bomb(root)
        said = None
    except UserError as error:
        said = str(error)
    seconds, peak = time.process_time() - start, peak_mb() - before
    return {"name": bomb.__name__, "said": said, "mb": peak, "seconds": seconds}


def main(folder: Path) -> None:
    """Read each in a process of its own, in which no other left memory behind."""
    save_image(folder / "warm" / "a.jpg")
    check_image(folder / "warm" / "a.jpg")
    for bomb in BOMBS:
        if os.fork():
            os.wait()
            continue
        print(json.dumps(try_one(bomb, folder / bomb.__name__)), flush=True)
        os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
