"""Every reader of data with a small whole input of its own, for those who damage it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from data_world import (
    HEIGHT,
    SQUARE,
    WIDTH,
    annotation,
    ref,
    shape,
    square,
    write_reasonseg,
    write_refer,
    write_zip,
)
from hostile_data import as_png, compressed, grey
from mirror_world import LISTS, MIRROR, row, write_mirror
from own_world import (
    labelme_mask,
    labelme_shape,
    stage,
    write_class_masks,
    write_coco,
    write_labelme,
    write_table,
)
from PIL import Image
from scoring import score

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.data import mirror, reasonseg, refer
from samr1.data.bad_samples import OnBadSample
from samr1.data.image_files import check_image
from samr1.data.images import load_mask, load_picture, load_rgb
from samr1.data.masks import encode_mask
from samr1.data.mirror_images import unpack_images
from samr1.data.objects import read_objects
from samr1.data.own.reading import read_own
from samr1.data.resizing import ImageStore, resize_images
from samr1.data.samples import load_samples
from samr1.data.unpacking import unpack_folder
from samr1.evaluation.imports import import_predictions

FORMATS = ("jpg", "png", "gif", "bmp", "tif", "webp")


@dataclass(frozen=True)
class Reader:
    """A reader, and an input that it takes."""

    name: str
    files: tuple[str, ...]  # those of the input that may be damaged
    write: Callable[[Path], Any]  # the input, into a folder
    read: Callable[[Path, OnBadSample], Any]  # what it makes of it, to be compared


def write_shapes(folder: Path) -> None:
    """A ReasonSeg sample with every kind of shape, and a plain one beside it."""
    picture = base64.b64encode(as_png(Image.fromarray(np.ones((4, 6), np.uint8)))).decode()
    shapes = [
        shape(SQUARE),
        {"label": "target", "shape_type": "rectangle", "points": [[20, 20], [25, 25]]},
        {"label": "ignore", "shape_type": "circle", "points": [[30, 8], [33, 9]]},
        {"label": "target", "shape_type": "mask", "points": [[1, 1], [6, 4]], "mask": picture},
    ]
    write_reasonseg(folder, "a", shapes=shapes, imageWidth=WIDTH, imageHeight=HEIGHT)
    write_reasonseg(folder, "b")


def write_refs(folder: Path, protocol: int) -> None:
    """A REFER set with NumPy's numbers, polygons and both kinds of run lengths."""
    refs = [ref(number) for number in (1, 2, 3)]
    refs[1]["ann_id"] = np.int64(2)
    annotations = [
        annotation(1),
        annotation(2, [compressed(square())]),
        annotation(3, compressed(square())),
    ]
    write_refer(folder, refs, annotations, protocol=protocol)


def read_refs(folder: Path, on_bad_sample: OnBadSample) -> pa.Table:
    return refer.read(folder, "refcocog", "umd", "test", "all", on_bad_sample)


def write_masks_in(folder: Path, kind: pa.DataType, mask: Any) -> None:
    """A mirror whose masks are written so."""
    write_mirror(folder, [row(folder, number, mask=mask) for number in (1, 2, 3)], mask_type=kind)


def read_mirror(folder: Path, on_bad_sample: OnBadSample) -> pa.Table:
    unpack_images(folder, MIRROR, on_bad_sample)
    return mirror.read(folder, "refcocog", "test", MIRROR, "umd", "all", on_bad_sample)


def write_samples(folder: Path) -> None:
    """Samples, their images, resized and with all their objects, and predictions in every form."""
    write_refs(folder, 2)
    samples = refer.read(folder, "refcocog", "umd", "test", "all")
    pq.write_table(samples, folder / "samples.parquet", compression="zstd")
    resize_images(samples, folder, 20, folder / "images.parquet")
    objects = read_objects(folder / "refcocog" / "instances.json", samples)
    pq.write_table(objects, folder / "objects.parquet", compression="zstd")
    rle, text = encode_mask(square()), compressed(square())
    answers: list[dict[str, Any]] = []
    (folder / "masks").mkdir()
    for number, sample_id in enumerate(samples["sample_id"].to_pylist()):
        polygon = [[1.5, 2, 20, 2, 20, 18]]
        answers.append({"sample_id": sample_id, "segmentation": text if number % 2 else polygon})
        answers[-1]["bbox"] = [1, 2, 19, 16.5]
        path = folder / "masks" / f"{sample_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_png(grey(0, 255)))
    (folder / "answers.json").write_text(json.dumps(answers))
    rows = [
        {"sample_id": one["sample_id"], "mask": dict(rle), "box": [1.0, 2.0, 20.0, 18.0]}
        for one in answers
    ]
    table = pa.Table.from_pylist(rows).cast(
        pa.schema([("sample_id", pa.string()), ("mask", schemas.RLE), ("box", schemas.BOX)])
    )
    pq.write_table(table, folder / "answers.parquet", compression="zstd")


def read_samples(folder: Path, _: OnBadSample) -> pa.Table:
    samples = load_samples(folder / "samples.parquet")
    predictions = samples.select(["sample_id", "mask"])
    score(samples, predictions, "lisa")
    resize_images(samples, folder, 20, folder / "again.parquet")
    return samples


def read_all_objects(folder: Path, _: OnBadSample) -> pa.Table:
    samples = load_samples(folder / "samples.parquet")
    objects = read_table(folder / "objects.parquet", schemas.OBJECTS)
    score(samples, samples.select(["sample_id", "mask"]), "lisa", objects)
    return objects


def read_images(folder: Path, _: OnBadSample) -> list[bytes]:
    store = ImageStore(folder / "images.parquet")
    return [store.get(number).tobytes() for number in ("1", "2", "3")]


def read_answers(name: str) -> Callable[[Path, OnBadSample], pa.Table]:
    def read(folder: Path, _: OnBadSample) -> pa.Table:
        samples = load_samples(folder / "samples.parquet")
        found = import_predictions(folder / name, samples, "mask")
        score(samples, found, "seg_zero")
        return found

    return read


def write_pictures(folder: Path) -> None:
    """A picture of each format, with EXIF data where it has them."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in FORMATS:
        Image.fromarray(pixels).save(folder / f"a.{suffix}", exif=exif)


def read_pictures(folder: Path, _: OnBadSample) -> list[bytes]:
    refused, seen = None, []
    for suffix in FORMATS:
        path = folder / f"a.{suffix}"
        for use in (check_image, load_rgb, lambda path: load_picture(path.read_bytes(), "a")):
            try:
                seen.append(bytes(np.asarray(use(path))))
            except UserError as error:
                refused = error
    if refused:
        raise refused
    return seen


def read_masks(folder: Path, _: OnBadSample) -> bytes:
    mask = load_mask((folder / "mask.png").read_bytes(), "mask.png", WIDTH, HEIGHT)
    return mask.tobytes()


def write_palette(folder: Path) -> None:
    image = Image.fromarray(square().astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.save(folder / "mask.png")


def write_own_table(name: str) -> Callable[[Path], None]:
    """A table of one's own with a mask, polygons, run lengths, ids, splits and ignored pixels."""

    def write(folder: Path) -> None:
        polygons = [[10, 5, 20, 5, 20, 15, 10, 15]]
        told: list[Any] = [{}, {"mask": None, "segmentation": polygons}]
        told += [{"mask": None, "segmentation": compressed(square())}, {"ignore": "masks/0.png"}]
        for number, change in enumerate(told):
            change |= {"id": f"a{number}", "split": "test" if number else "train"}
            if name.endswith(".parquet") and "segmentation" in change:
                change["segmentation"] = json.dumps(change["segmentation"])
        write_table(folder, *told, file=name)

    return write


def read_own_layout(layout: str, **keys: Any) -> Callable[[Path, OnBadSample], None]:
    def read(folder: Path, on_bad_sample: OnBadSample) -> None:
        read_own(stage(folder, layout, **keys), on_bad_sample)

    return read


def write_own_coco(folder: Path) -> None:
    write_coco(folder, "coco.json")


def write_own_labelme(folder: Path) -> None:
    """Two files of labelme with every kind of shape, and a plain one."""
    circle = labelme_shape("dog", [[30, 8], [33, 9]], "circle")
    mask = labelme_mask("bird", 2, 2, np.ones((4, 6), bool))
    write_labelme(folder, "a", [labelme_shape("cat", SQUARE), circle, mask], 1)
    write_labelme(folder, "b", [mask, circle], 2, text=["what lives", "it"])


def write_archive(folder: Path) -> None:
    write_zip(folder / "a.zip", {"set/a.json": b"{}" * 50, "set/deep/b.jpg": b"jpg" * 100})


def read_archive(folder: Path, _: OnBadSample) -> list[bytes]:
    unpack_folder(folder / "a.zip", "set", folder / "out")
    return [one.read_bytes() for one in sorted((folder / "out").rglob("*")) if one.is_file()]


SHARD = "mirrors/owner--set_test/data/test-00000-of-00001.parquet"
RLE_TEXT = json.dumps(compressed(square()))

READERS = [
    Reader(
        "ReasonSeg annotation",
        ("ReasonSeg/val/a.json",),
        write_shapes,
        lambda folder, how: reasonseg.read(folder, "val", how),
    ),
    Reader(
        "ReasonSeg image",
        ("ReasonSeg/val/a.jpg",),
        write_shapes,
        lambda folder, how: reasonseg.read(folder, "val", how, "lisa_grounding"),
    ),
    Reader(
        "REFER refs", ("refcocog/refs(umd).p",), lambda folder: write_refs(folder, 2), read_refs
    ),
    Reader(
        "REFER refs, text",
        ("refcocog/refs(umd).p",),
        lambda folder: write_refs(folder, 0),
        read_refs,
    ),
    Reader(
        "REFER instances",
        ("refcocog/instances.json",),
        lambda folder: write_refs(folder, 2),
        read_refs,
    ),
    Reader(
        "mirror, rows of pixels",
        (SHARD,),
        lambda folder: write_masks_in(folder, LISTS, square().tolist()),
        read_mirror,
    ),
    Reader(
        "mirror, run lengths",
        (SHARD,),
        lambda folder: write_masks_in(folder, pa.string(), RLE_TEXT),
        read_mirror,
    ),
    Reader(
        "mirror, pictures of masks",
        (SHARD,),
        lambda folder: write_masks_in(folder, pa.binary(), as_png(Image.fromarray(square()))),
        read_mirror,
    ),
    Reader("samples", ("samples.parquet",), write_samples, read_samples),
    Reader("objects", ("objects.parquet",), write_samples, read_all_objects),
    Reader("resized images", ("images.parquet",), write_samples, read_images),
    Reader("answers, JSON", ("answers.json",), write_samples, read_answers("answers.json")),
    Reader(
        "answers, Parquet", ("answers.parquet",), write_samples, read_answers("answers.parquet")
    ),
    Reader(
        "answers, PNG",
        tuple(f"masks/refcocog/umd/test/{number}/0.png" for number in (1, 2, 3)),
        write_samples,
        read_answers("masks"),
    ),
    *(
        Reader(
            f"own table, {name.split('.')[1]}",
            (name,),
            write_own_table(name),
            read_own_layout("table", file=name),
        )
        for name in ("questions.csv", "questions.jsonl", "questions.parquet")
    ),
    Reader("own COCO", ("coco.json",), write_own_coco, read_own_layout("coco", file="coco.json")),
    Reader("own labelme", ("a.json", "b.json"), write_own_labelme, read_own_layout("labelme")),
    Reader(
        "own class masks",
        ("masks/0.png", "masks/1.png"),
        write_class_masks,
        read_own_layout("masks", images="images", masks="masks", categories={1: "square"}),
    ),
    Reader("mask", ("mask.png",), write_palette, read_masks),
    Reader("picture", tuple(f"a.{suffix}" for suffix in FORMATS), write_pictures, read_pictures),
    Reader("archive", ("a.zip",), write_archive, read_archive),
]
