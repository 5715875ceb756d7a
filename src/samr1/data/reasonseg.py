"""Read ReasonSeg, and LISA-Grounding, which is made of the same files.

ReasonSeg is a folder a split (`ReasonSeg/val`) with `NAME.jpg` and `NAME.json` for every image.
Masks are drawn as LISA draws them. A sample is an image with its first text, `text[0]`, as in every
published evaluation. A file without a polygon is a sample with an empty mask and the box
[0, 0, 0, 0]: the official test set has two.

LISA-Grounding takes its box as Visual-RFT does: the least and greatest coordinates of the points of
the *first* shape, whatever its label.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from tqdm import tqdm

from samr1.core import schemas
from samr1.core.errors import UserError, prefix_errors
from samr1.core.reading import is_text, load_json
from samr1.data import masks
from samr1.data.bad_samples import BadSamples, OnBadSample
from samr1.data.counts import check_published
from samr1.data.frames import check_frame, told_size
from samr1.data.image_files import Size
from samr1.data.samples import check_query
from samr1.data.shapes import SIZE_KEYS, Shape, first_shape_box, rasterise_shapes

Dataset = Literal["reasonseg", "lisa_grounding"]

_MOST_BYTES = 32_000_000  # of an annotation; labelme writes the image into it


def read(
    root: Path | str,
    split: str,
    on_bad_sample: OnBadSample = "stop",
    dataset: Dataset = "reasonseg",
    check_counts: bool = False,
) -> pa.Table:
    """The samples of `root/ReasonSeg/<split>` as rows of `schemas.SAMPLES`, sorted by name.

    Boxes and masks are in pixels of the original. Raises UserError where the folder is missing or
    empty, a sample is bad and `on_bad_sample` is "stop", or `check_counts` is set and the folder's
    images, bad ones too, are not as many as published.
    """
    bad = BadSamples(on_bad_sample)
    rows = read_rows(Path(root), split, bad, dataset, check_counts)
    bad.report(len(rows), str(Path(root) / "ReasonSeg" / split))
    return pa.Table.from_pylist(rows, schema=schemas.SAMPLES)


def read_rows(
    root: Path, split: str, bad: BadSamples, dataset: Dataset, check_counts: bool = False
) -> list[dict[str, Any]]:
    """The rows of `read`; bad samples go to `bad`."""
    folder = root / "ReasonSeg" / split
    files = _find_files(folder)
    if not files:
        raise UserError(f"{folder}: no ReasonSeg images here; correct the data root or the split.")
    if check_counts:
        check_published(folder, dataset, None, split, len(files))
    rows = []
    for name in tqdm(sorted(files), desc=f"{dataset} {split}", unit="image", disable=None):
        try:
            rows.append(_read_sample(folder / name, files[name], split, dataset))
        except UserError as error:
            bad.add(error)
    return rows


def _find_files(folder: Path) -> dict[str, dict[str, str]]:
    """The files of each NAME by their suffix in small letters; hidden ones are left out.

    Raises UserError where two are one in small letters. There are none where there is no folder.
    """
    files: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*")) if os.path.isdir(folder) else ():
        suffix = path.suffix.lower()
        if suffix in (".json", ".jpg") and not path.name.startswith("."):
            of_name = files.setdefault(path.stem, {})
            if suffix in of_name:
                raise UserError(f"{path}: lies beside {of_name[suffix]}; keep one of the two.")
            of_name[suffix] = path.name
    return files


def _read_sample(stem: Path, files: dict[str, str], split: str, dataset: Dataset) -> dict[str, Any]:
    name, folder = stem.name, stem.parent
    if not is_text(f"{split}/{name}"):
        raise UserError(f"{stem}: its name is no valid Unicode; rename it.")
    image_path = folder / files.get(".jpg", f"{name}.jpg")
    annotation_path = folder / files.get(".json", f"{name}.json")
    query, shapes, told = _read_annotation(annotation_path)
    width, height = check_frame(image_path, told)
    with prefix_errors(str(annotation_path)):
        target, ignore = rasterise_shapes(shapes, height, width)
        box = masks.mask_box(target) if dataset == "reasonseg" else first_shape_box(shapes)
    return {
        "sample_id": f"{dataset}/{split}/{name}",
        "dataset": dataset,
        "split": split,
        "image_id": f"reasonseg/{split}/{name}",  # the same image in both data sets
        "image_path": f"ReasonSeg/{split}/{image_path.name}",
        "width": width,
        "height": height,
        "query": query,
        "sentence_index": 0,
        "box": box,
        "mask": masks.encode_mask(target),
        "ignore": masks.encode_mask(ignore) if ignore.any() else None,
    }


def _read_annotation(path: Path) -> tuple[str, list[Shape], Size | None]:
    """The question, the shapes and, where it says one, the image's size; a few are cp1252."""
    annotation = load_json(path, _MOST_BYTES, "fetch it again")
    with prefix_errors(str(path)):
        if not isinstance(annotation, dict) or not {"text", "shapes"} <= annotation.keys():
            raise UserError("not a ReasonSeg annotation; it needs `text` and `shapes`.")
        texts, shapes = annotation["text"], annotation["shapes"]
        if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
            raise UserError("`shapes` is not a list of shapes; fetch it again.")
        if not isinstance(texts, list) or not texts:
            raise UserError("`text` is not a list of texts; fetch it again.")
        size = told_size(annotation, SIZE_KEYS, "its", "fetch it again")
        return check_query(texts[0], "text[0]"), shapes, size
