"""Parquet mirrors for the tests: rows as Seg-Zero's authors write them, from the public layouts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from data_world import HEIGHT, WIDTH, save_image, square
from PIL import Image
from pycocotools import mask as coco

from samr1.data import mirror
from samr1.data.mirror_images import unpack_images
from samr1.data.shapes import rasterise_shapes

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
LISTS = pa.list_(pa.list_(pa.bool_()))
MIRROR = "owner/set_test"


def row(root: Path, number: int = 1, **fields: Any) -> dict[str, Any]:
    """A row about object `number` of image `number`, a picture of noise."""
    path = root / "pictures" / f"COCO_train2014_{number:012d}.jpg"
    if not path.exists():
        save_image(path)
    return {
        "image": {"bytes": path.read_bytes(), "path": path.name},
        "text": f"ball {number}",
        "mask": square().tolist(),
        "image_id": str(number),
        "ann_id": str(number),
        "img_height": HEIGHT,
        "img_width": WIDTH,
    } | fields


def write_mirror(
    root: Path,
    rows: list[dict[str, Any]],
    name: str = MIRROR,
    mask_type: pa.DataType = LISTS,
    shards: int = 1,
    split: str = "test",
    **types: pa.DataType,
) -> list[Path]:
    """Write `rows` as a mirror of so many files, two rows a row group; returns the paths."""
    types = {"image": IMAGE, "mask": mask_type} | types
    columns = {name: pa.array([each[name] for each in rows], types.get(name)) for name in rows[0]}
    table = pa.table(columns)
    folder = root / "mirrors" / name.replace("/", "--") / "data"
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(rows) // shards)
    paths = []
    for shard in range(shards):
        paths.append(folder / f"{split}-{shard:05d}-of-{shards:05d}.parquet")
        pq.write_table(table.slice(shard * size, size), paths[-1], row_group_size=2)
    return paths


def read_mirror(root: Path, rows: list[dict[str, Any]], **options: Any) -> pa.Table:
    """Write `rows` as a mirror of RefCOCOg, unpack it and read it."""
    types = {name: options.pop(name) for name in ("mask_type", "text") if name in options}
    write_mirror(root, rows, **types)
    policy = options.get("on_bad_sample", "stop")
    unpack_images(root, MIRROR, policy)
    arguments = {"dataset": "refcocog", "split": "test", "split_by": "umd"} | options
    return mirror.read(root, mirror=MIRROR, **arguments)


def refer_rows(root: Path, dataset: str, split_by: str, split: str) -> list[dict[str, Any]]:
    """The rows of a mirror of one split: a row a ref with its first sentence."""
    refs = pickle.loads((root / dataset / f"refs({split_by}).p").read_bytes())
    content = json.loads((root / dataset / "instances.json").read_text())
    images = {image["id"]: image for image in content["images"]}
    annotations = {annotation["id"]: annotation for annotation in content["annotations"]}
    rows = []
    for ref in refs:
        if ref["split"] == split:
            image, annotation = images[ref["image_id"]], annotations[ref["ann_id"]]
            height, width = image["height"], image["width"]
            rle = annotation["segmentation"]
            if isinstance(rle, list) or isinstance(rle["counts"], list):
                rle = coco.frPyObjects(rle, height, width)
            mask = coco.decode(rle).reshape(height, width, -1).any(axis=2)
            x, y, w, h = annotation["bbox"]
            rows.append(
                {
                    "image": _image(root / "train2014" / image["file_name"]),
                    "text": ref["sentences"][0]["sent"],
                    "mask": mask.tolist(),
                    "image_id": str(image["id"]),
                    "ann_id": str(annotation["id"]),
                    "img_height": height,
                    "img_width": width,
                    "bbox": [int(x), int(y), int(x + w), int(y + h)],
                }
            )
    return rows


def reasonseg_rows(root: Path, split: str) -> list[dict[str, Any]]:
    """The rows of a mirror of one split: `text[0]`, and ignored pixels in the target."""
    rows = []
    for path in sorted((root / "ReasonSeg" / split).glob("*.json")):
        annotation = json.loads(path.read_text())
        picture = path.with_suffix(".jpg")
        with Image.open(picture) as image:
            width, height = image.size
        target, ignore = rasterise_shapes(annotation["shapes"], height, width)
        rows.append(
            {
                "image": _image(picture),
                "text": annotation["text"][0],
                "mask": (target | ignore).tolist(),
                "image_id": path.stem,
                "ann_id": path.stem,
                "img_height": height,
                "img_width": width,
            }
        )
    return rows


def _image(path: Path) -> dict[str, Any]:
    return {"bytes": path.read_bytes(), "path": path.name}
