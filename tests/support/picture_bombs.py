"""Pictures, masks and samples that are small or claim to be large: they would fill the memory, or
take hours.
"""

from __future__ import annotations

import base64
import io
import os
import struct
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from data_world import annotation, ref, shape, write_reasonseg, write_refer
from hostile_data import as_png
from mirror_world import MIRROR, row, write_mirror
from own_world import labelme_shape, stage, write_coco, write_labelme
from PIL import Image

from samr1.data import masks, reasonseg, refer
from samr1.data.image_files import check_image
from samr1.data.images import load_picture
from samr1.data.mirror_images import unpack_images
from samr1.data.own.reading import read_own
from samr1.data.resizing import resize_images
from samr1.data.samples import load_samples

HUGE = 60_000  # pixels a side
LARGE = 9_400  # the most that is read
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


def many_outlines(root: Path) -> None:
    masks.segmentation_to_mask([[0, 0, 90_000, 90_000] * 5] * 600, 3_000, 3_000)


def many_runs(root: Path) -> None:
    masks.segmentation_to_mask(
        [{"size": [5_000] * 2, "counts": [25_000_000]}] * 2_000, 5_000, 5_000
    )


def save_black(path: Path, side: int, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (side, side)).save(path)


def many_polygons(root: Path) -> None:
    """Beside one another, so that nothing of them is united."""
    corners = [(n * 7 % 2_990, n * 7 // 2_990 * 7) for n in range(60_000)]
    polygons = [[x, y, x + 5, y, x + 5, y + 5] for x, y in corners]
    content = write_coco(root)
    content["images"][0] |= {"width": 3_000, "height": 3_000}
    content["annotations"][0]["segmentation"] = polygons
    write_coco(root, images=content["images"][:1], annotations=content["annotations"][:1])
    save_black(root / "0.png", 3_000)
    read_own(stage(root, "coco", file="instances.json"))


def many_shapes(root: Path) -> None:
    shapes = [labelme_shape("a", [[1, 1], [9, 1], [9, 9]])] * 400
    write_labelme(root, "a", shapes, imageWidth=LARGE, imageHeight=LARGE)
    save_black(root / "a.png", LARGE)
    read_own(stage(root, "labelme"))


def class_indices(root: Path) -> None:
    save_black(root / "images/a.png", LARGE)
    save_black(root / "masks/a.png", LARGE, "I;16")
    keys = {"images": "images", "masks": "masks", "categories": {0: "a"}, "ignore_index": 1}
    read_own(stage(root, "masks", **keys))


def sparse(path: Path, size: int, start: bytes = b"", end: bytes = b"") -> None:
    """A file of zeros that takes no place on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size - len(end))
        file.seek(0, os.SEEK_END)
        file.write(end)


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
