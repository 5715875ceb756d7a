"""Small inputs that would fill the memory, read one by one in a process of its own.

It writes a line of JSON for each: its name, what was said of it, and how many MB that took.
"""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from data_world import annotation, ref, save_image, shape, write_reasonseg, write_refer
from hostile_data import as_png
from mirror_world import MIRROR, row, write_mirror
from own_world import stage, write_coco, write_labelme, write_table
from peak_memory import forget_peak, peak_mb
from PIL import Image

from samr1.config.errors import read_mapping
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.data import masks, reasonseg, refer
from samr1.data.images import check_image, load_picture
from samr1.data.mirror_images import unpack_images
from samr1.data.own.reading import read_own
from samr1.data.resizing import resize_images
from samr1.data.samples import load_samples
from samr1.evaluation.imports import import_predictions

HUGE = 60_000  # pixels a side
ZIGZAG = [[-90_000 + 180_000 * (n % 2), n] for n in range(2000)]


def claim_size(png: bytes, side: int) -> bytes:
    """A PNG whose header says another size."""
    data = bytearray(png)
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def png(side: int = 8) -> bytes:
    return as_png(Image.new("L", (side, side), 255))


def webp(side: int) -> bytes:
    """34 bytes that are a WebP picture of `side` pixels."""
    bits = (side - 1) | (side - 1) << 14
    body = (
        b"VP8L"
        + struct.pack("<I", 14)
        + b"/"
        + struct.pack("<I", bits)
        + bytes.fromhex("07101100fd0f4444ff03")[:9]
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def picture_of_no_end(root: Path) -> None:
    check_image(Path("/dev/zero"))


def picture_in_a_pipe(root: Path) -> None:
    os.mkfifo(root / "pipe.jpg")
    check_image(root / "pipe.jpg")


def sparse_picture(root: Path) -> None:
    sparse(root / "a.jpg", 10_000_000_000)
    check_image(root / "a.jpg")


def png_that_claims(root: Path) -> None:
    load_picture(claim_size(png(), HUGE), "a.png")


def picture_of_tags(root: Path) -> None:
    """Pillow warns of each of them."""
    tags = b"".join(struct.pack("<HHII", 1_000 + n, 4, 2**30, 0) for n in range(5_000))
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 5_000) + tags + bytes(4)
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "JPEG", exif=exif)
    load_picture(content.getvalue(), "a.jpg", 10)


def webp_that_claims(root: Path) -> None:
    load_picture(webp(9_000), "a.webp")


def mask_that_claims(root: Path) -> None:
    mask = base64.b64encode(claim_size(png(), 9_400)).decode()
    bad = {"label": "a", "shape_type": "mask", "points": [[0, 0], [7, 7]], "mask": mask}
    write_reasonseg(root, shapes=[bad])
    reasonseg.read(root, "val")


def zigzag_shape(root: Path) -> None:
    write_reasonseg(root, shapes=[shape(ZIGZAG)])
    reasonseg.read(root, "val")


def zigzag_polygon(root: Path) -> None:
    write_refer(root, [ref(1)], [annotation(1, [[value for point in ZIGZAG for value in point]])])
    refer.read(root, "refcocog", "umd", "test")


def zigzag_inside(root: Path) -> None:
    flat = [value for n in range(2_000) for value in (3_000 * (n % 2), n)]
    masks.segmentation_to_mask([flat], 3_000, 3_000)


def runs_that_claim(root: Path) -> None:
    masks.rle_to_mask({"size": [HUGE, HUGE], "counts": [HUGE * HUGE]}, HUGE, HUGE)


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
    write_instances(root, '{"info": [' + "0," * 40_000_000 + "0]}")


def instances_of_ids(root: Path) -> None:
    entries = ",".join(f'{{"id": {n}}}' for n in range(500_000))
    write_instances(root, f'{{"images": [{entries}]}}')


def one_long_annotation(root: Path) -> None:
    write_instances(root, '{"annotations": [{"id": 1, "segmentation": [' + "1.5," * 20_000_000)


def instances_of_texts(root: Path) -> None:
    write_instances(root, "{" + "".join(f'"{n}": "{"a" * 100_000}",' for n in range(900)))


def sparse(path: Path, size: int, start: bytes = b"", end: bytes = b"") -> None:
    """A file of zeros that takes no place on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size - len(end))
        file.seek(0, os.SEEK_END)
        file.write(end)


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
    (root / "questions.jsonl").write_bytes(b"\n" * 50_000_000)
    read_own(stage(root, file="questions.jsonl"))


def table_of_columns(root: Path) -> None:
    write_table(root)
    (root / "questions.csv").write_text(",".join(map(str, range(1_000_000))))
    read_own(stage(root))


def results_of_lists(root: Path) -> None:
    (root / "a.json").write_text("[" + "[[]]," * 13_000_000 + "[]]")
    import_predictions(root / "a.json", write_samples(root), "mask")


def yaml_of_aliases(root: Path) -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (root / "a.yaml").write_text("\n".join(lines))
    read_mapping(root / "a.yaml")


def one_text_in_every_row(root: Path) -> None:
    group = pa.table({"text": ["a" * 1_000_000] * 10})
    with pq.ParquetWriter(root / "a.parquet", group.schema, compression="zstd") as writer:
        for _ in range(100):
            writer.write_table(group)
    read_table(root / "a.parquet")


def one_text_by_number(root: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), ["a" * 1_000_000])
    pq.write_table(pa.table({"text": text}), root / "a.parquet", compression="zstd")
    read_table(root / "a.parquet", pa.schema([("text", pa.string())]))


def write_samples(root: Path) -> pa.Table:
    write_refer(root, [ref(1)])
    return refer.read(root, "refcocog", "umd", "test")


def samples_that_claim(root: Path) -> None:
    samples = write_samples(root)
    sides = pa.array([HUGE], pa.int32())
    for column in ("width", "height"):
        samples = samples.set_column(samples.column_names.index(column), column, sides)
    pq.write_table(samples, root / "samples.parquet")
    load_samples(root / "samples.parquet")


def resized_to_much(root: Path) -> None:
    resize_images(write_samples(root), root, 28_000, root / "images.parquet")


def mirror_that_claims(root: Path) -> None:
    bad = row(root) | {"image": {"bytes": claim_size(png(), HUGE), "path": "a.png"}}
    write_mirror(root, [bad])
    unpack_images(root, MIRROR)


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
    pickle_memo,
    pickle_of_lists,
    json_of_lists,
    yaml_of_aliases,
    one_text_in_every_row,
    one_text_by_number,
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
