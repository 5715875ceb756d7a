"""Small inputs that would fill the memory, read one by one in a process of its own.

It writes a line of JSON for each: its name, what was said of it, and how many MB that took.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import sys
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from data_world import annotation, ref, save_image, shape, write_reasonseg, write_refer
from hostile_data import as_png
from mirror_world import MIRROR, row, write_mirror
from peak_memory import forget_peak, peak_mb
from PIL import Image

from samr1.config.errors import read_mapping
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.data import masks, reasonseg, refer
from samr1.data.images import check_image, load_picture
from samr1.data.mirror_images import unpack_images
from samr1.data.resizing import resize_images
from samr1.data.samples import load_samples

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
    with (root / "a.jpg").open("wb") as file:
        file.truncate(10_000_000_000)
    check_image(root / "a.jpg")


def png_that_claims(root: Path) -> None:
    load_picture(claim_size(png(), HUGE), "a.png")


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


def json_of_lists(root: Path) -> None:
    write_reasonseg(root).write_bytes(b"[" + b"[]," * 4_100_000 + b"[]]")
    reasonseg.read(root, "val")


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
    picture_of_no_end,
    picture_in_a_pipe,
    sparse_picture,
    png_that_claims,
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


def main(folder: Path) -> None:
    """Read each and write what came of it."""
    save_image(folder / "warm" / "a.jpg")
    check_image(folder / "warm" / "a.jpg")
    for bomb in BOMBS:
        root = folder / bomb.__name__
        root.mkdir()
        forget_peak()
        before = peak_mb()
        try:
            bomb(root)
            said = None
        except UserError as error:
            said = str(error)
        print(json.dumps({"name": bomb.__name__, "said": said, "mb": peak_mb() - before}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
