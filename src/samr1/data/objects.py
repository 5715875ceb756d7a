"""All annotated objects of the images that a benchmark asks about: what an answer could be of."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.core.json_lists import JsonLists, Place
from samr1.data import masks
from samr1.data.bad_samples import BadSamples
from samr1.data.refer import MOST_BYTES, REMEDY


def read_objects(instances: Path, samples: pa.Table) -> pa.Table:
    """The objects of the `samples`' images, rows of `schemas.OBJECTS`, image by image.

    `instances` is a COCO file (REFER's `instances.json`), whose images are known by their file's
    name. An annotation that is no mask is left out and counted: it is nobody's answer. Raises
    UserError where the file is none, or lacks an image.
    """
    file = JsonLists(instances, MOST_BYTES, REMEDY)
    places = _find_annotations(file)
    columns = samples.select(["image_path", "image_id", "height", "width"]).to_pylist()
    images = {PurePosixPath(row["image_path"]).name: row for row in columns}
    missing = [name for name in images if name not in places]
    if missing:
        raise UserError(
            f"{instances}: lacks {len(missing)} of the samples' {len(images)} images, the first "
            f"{missing[0]}; index the benchmark and its objects from the same files."
        )
    bad, rows = BadSamples("skip"), list[dict[str, Any]]()
    for name, image in tqdm(images.items(), desc="objects", unit="image", disable=None):
        for place in places[name]:
            annotation = file.read(place)
            with bad.catching(f"annotation {annotation.get('id')}"):
                mask = masks.segmentation_to_mask(
                    annotation.get("segmentation"), image["height"], image["width"]
                )
                rows.append({"image_id": image["image_id"], "mask": masks.encode_mask(mask)})
    bad.report(len(rows), str(instances))
    return pa.Table.from_pylist(rows, schema=schemas.OBJECTS)


def _find_annotations(file: JsonLists) -> dict[str, list[Place]]:
    """File name of each image -> where its annotations stand; what has no image is passed over."""
    names, places = dict[str, int](), dict[int, list[Place]]()
    for key, place, entry in file:
        if not isinstance(entry, dict):
            continue
        number, name, of_image = (entry.get(one) for one in ("id", "file_name", "image_id"))
        if key == "images" and type(number) is int and isinstance(name, str):
            names[name] = number
        elif key == "annotations" and type(of_image) is int:
            places.setdefault(of_image, []).append(place)
    return {name: places.get(number, []) for name, number in names.items()}
