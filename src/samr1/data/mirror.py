"""Read a Parquet mirror of ReasonSeg or the RefCOCO family, in the form of Seg-Zero's authors.

    image      struct {bytes, path}, as the `datasets` library writes images, or the bytes alone
    text       the sentence, or a list of them
    mask       booleans [h][w]; COCO RLE, as a struct or JSON {size, counts}, counts compressed or
               not; or a picture of the mask, as images are written
    image_id   ReasonSeg: the file's name; RefCOCO: COCO's number, or the name of COCO's file
    ann_id     the annotated object

A `bbox` is not read: Seg-Zero's mirrors have it as xyxy and others as xywh, and the mask is the
truth. Seg-Zero's masks have ReasonSeg's ignored pixels in the target, so that a mirror's samples
have no `ignore`. What LISA-Grounding is about, the first shape, is not in a mirror.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from samr1.core import schemas
from samr1.core.errors import ON_INPUT, UserError, refusing
from samr1.core.reading import parse_json
from samr1.data import masks, refer
from samr1.data.bad_samples import BadSamples, OnBadSample
from samr1.data.counts import check_published
from samr1.data.image_files import check_image
from samr1.data.images import load_mask
from samr1.data.mirror_files import cell_value, images_folder, read_rows, shards_folder
from samr1.data.mirror_images import read_id
from samr1.data.refer import Sentences, first_with_words, read_sentence

Dataset = Literal["reasonseg", "refcoco", "refcoco+", "refcocog"]
DATASETS: tuple[Dataset, ...] = get_args(Dataset)

COLUMNS = ("text", "mask", "image_id", "ann_id")

_PNG = b"\x89PNG"
_COCO_FILE = re.compile(r"COCO_(?:train|val)2014_(\d{12})")


def read(
    root: Path | str,
    dataset: Dataset,
    split: str,
    mirror: str,
    split_by: str | None = None,
    sentences: Sentences = "first",
    on_bad_sample: OnBadSample = "stop",
    check_counts: bool = False,
) -> pa.Table:
    """The samples of `mirror` (owner/name) as rows of `schemas.SAMPLES`, in the order of its rows.

    They are what `reasonseg.read` and `refer.read` make of the public files, but for `image_path`,
    which is below `root/mirror_images` (see `mirror_images.unpack_images`, which comes first), for
    the `ref_id` in RefCOCO's `sample_id`, which is the `ann_id` here (each object has one ref), and
    for `ignore`. Boxes and masks are in pixels of the original. Raises UserError where a file is
    missing or not what its name says, a row is bad and `on_bad_sample` is "stop", or `check_counts`
    is set and the mirror's refs (with "all", its sentences too) are not as many as published.
    """
    root = Path(root)
    folder = shards_folder(root, mirror)
    reader = Reader(Images(root, mirror), dataset, split, split_by, sentences)
    bad = BadSamples(on_bad_sample)
    rows: list[dict[str, Any]] = []
    for _, where, cells in read_rows(folder, COLUMNS, ("image.path",), f"{dataset} {split}"):
        rows.extend(reader.read_row(where, cells, bad))
    if check_counts:
        told = sum(reader.told.values()) if sentences == "all" else None
        found = len(reader.told)
        check_published(folder, dataset, split_by, split, found, told, bad.count)
    bad.report(len(rows), str(folder))
    return pa.Table.from_pylist(rows, schema=schemas.SAMPLES)


class Reader:
    """What a row says, as columns of `schemas.SAMPLES`; counts the sentences of the rows before.

    Without a data set it is one of one's own: images need no number of COCO's, and texts stay in
    the letters that they are in.
    """

    def __init__(
        self,
        images: Images,
        dataset: Dataset | None,
        split: str | None,
        split_by: str | None = None,
        sentences: Sentences = "all",
    ) -> None:
        self.common = {"dataset": dataset, "split": split, "ignore": None}
        self.prefix = "".join(f"{part}/" for part in (dataset, split_by, split) if part)
        self.reasonseg = dataset == "reasonseg"
        self.cocos = dataset in refer.DATASETS
        self.sentences = sentences
        self.images = images
        self.told: dict[str, int] = {}  # ann_id -> its sentences so far
        self.asked: set[str] = set()  # of each of these, one that has words

    def read_row(
        self, where: str, cells: dict[str, pa.Scalar], bad: BadSamples
    ) -> Iterator[dict[str, Any]]:
        """The samples of the row at `where`; what of it is bad goes to `bad`."""
        asked: list[dict[str, Any]] = []
        with bad.catching(where):
            asked = self._ask(cells)
        for row in asked:
            with bad.catching(where):
                letters = self.sentences if self.common["dataset"] else "first"
                query = read_sentence(row["query"], row["sentence_index"], letters)
                yield row | {"query": query}

    def _ask(self, cells: dict[str, pa.Scalar]) -> list[dict[str, Any]]:
        """A sample of each sentence of the row that is wanted. Raises UserError if it is bad."""
        ann_id, texts = read_id(cells["ann_id"], "ann_id"), _texts(cells["text"])
        before = self.told.get(ann_id, 0)
        self.told[ann_id] = before + len(texts)
        if before and self.reasonseg:
            raise UserError(f"a row before it has the same ann_id, {ann_id}.")
        asked = list(enumerate(texts, before))
        if self.sentences == "first":
            asked = asked[first_with_words(texts) :][:1] if ann_id not in self.asked else []
            self.asked |= {ann_id for _, text in asked if text.strip()}
        name = f"{self.prefix}{ann_id}"
        common = self._describe(cells) if asked else {}
        return [
            {
                **common,
                "sample_id": name if self.reasonseg else f"{name}/{index}",
                "query": text,
                "sentence_index": index,
            }
            for index, text in asked
        ]

    def _describe(self, cells: dict[str, pa.Scalar]) -> dict[str, Any]:
        """The columns that all sentences of the row share."""
        file_id = read_id(cells["image_id"], "image_id")
        image_path, width, height = self.images.find(file_id)
        mask = _decode(cells["mask"], height, width)
        if not self.reasonseg and not mask.any():
            raise UserError("its mask covers no pixel.")
        return self.common | {
            "image_id": _coco_id(file_id, cells) if self.cocos else f"{self.prefix}{file_id}",
            "image_path": image_path,
            "width": width,
            "height": height,
            "box": masks.mask_box(mask),
            "mask": masks.encode_mask(mask),
        }


class Images:
    """The images of a mirror as files, each checked once, however many rows it has."""

    def __init__(self, root: Path, mirror: str) -> None:
        folder = images_folder(root, mirror)
        if not os.path.isdir(folder):
            raise UserError(
                f"{folder}: no such folder; run python -m samr1.cli.unpack_mirror --root {root} "
                f"--mirror {mirror} first."
            )
        self.root = root
        self.paths = {path.stem: path for path in folder.glob("[!.]*")}
        self.find = cache(self._check)

    def _check(self, image_id: str) -> tuple[str, int, int]:
        """Its path below the root, width and height; raises UserError where it is not there."""
        if image_id not in self.paths:
            raise UserError(f"its image {image_id} was not unpacked; run unpack_mirror again.")
        path = self.paths[image_id]
        return path.relative_to(self.root).as_posix(), *check_image(path)


def _coco_id(file_id: str, cells: dict[str, pa.Scalar]) -> str:
    """COCO's number of the image, by which images are one in all data sets of the family.

    Raises UserError where neither the `image_id` nor the path in the image's struct has it.
    """
    if file_id.isdecimal():
        return str(int(file_id))
    image = cell_value(cells["image"], "image") if "image" in cells else None
    for name in (file_id, (image or {}).get("path") or ""):
        if found := _COCO_FILE.search(name):
            return str(int(found[1]))
    raise UserError(
        f"its image_id {file_id} is neither COCO's number nor the name of COCO's file, so that "
        f"training and test images could not be told apart; give it one of the two."
    )


def _texts(cell: pa.Scalar) -> list[str]:
    """The sentences of a row; raises UserError where there is none."""
    value = cell_value(cell, "text")
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise UserError("its text is neither a sentence nor a list of them.")
    return texts


def _decode(cell: pa.Scalar, height: int, width: int) -> masks.Mask:
    """The mask of a row as bool [height, width]; raises UserError where it is none of that size."""
    if not cell.is_valid:
        raise UserError("it has no mask.")
    if isinstance(cell, pa.ListScalar):
        return _decode_lists(cell.values, height, width)
    value = cell_value(cell, "mask")
    if isinstance(value, dict) and "bytes" in value:
        value = value["bytes"]
    if isinstance(value, bytes) and value.startswith(_PNG):
        return load_mask(value, "its mask", width, height)
    if isinstance(value, (str, bytes)):
        with refusing("its mask is not JSON", "write it as run lengths", ON_INPUT):
            value = parse_json(value if isinstance(value, str) else value.decode())
    if not isinstance(value, dict):
        raise UserError("its mask is neither lists of pixels nor a run-length encoding.")
    return masks.rle_to_mask(value, height, width)


def _decode_lists(lines: pa.Array, height: int, width: int) -> masks.Mask:
    """Lists [h] of lists [w] of booleans, or of 0 and 1.

    Straight from Arrow's buffers: as lists of Python's a mask of 6 megapixels takes ten times as
    long.
    """
    if not isinstance(lines, (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray)):
        raise UserError("its mask is a list, but not one of lines of pixels.")
    pixels = lines.flatten()
    if lines.null_count or pixels.null_count:
        raise UserError("its mask has pixels that are null.")
    widths = pc.unique(pc.list_value_length(lines)).to_pylist()
    if len(widths) > 1:
        raise UserError(f"its mask has lines of {min(widths)} to {max(widths)} pixels.")
    if len(lines) != height or widths != [width]:
        raise UserError(
            f"its mask is {(widths or [0])[0]}×{len(lines)} pixels and its image {width}×{height}."
        )
    values = pixels.to_numpy(zero_copy_only=False)
    if values.dtype != np.bool_ and not np.isin(values, (0, 1)).all():
        raise UserError("its mask has values that are neither 0 nor 1.")
    return values.astype(bool).reshape(height, width)
