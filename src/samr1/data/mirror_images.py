"""Take the images out of a Parquet mirror: the segmenter reads originals, from files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pyarrow as pa

from samr1.core.errors import UserError, prefix_errors
from samr1.core.files import atomic_folder, remove_parts
from samr1.data.bad_samples import BadSamples, OnBadSample
from samr1.data.image_files import check_image_bytes
from samr1.data.mirror_files import cell_value, images_folder, read_rows, shards_folder

# It becomes a file's name.
_IMAGE_ID = re.compile(r"[^\W_][\w.+@-]{0,99}", re.ASCII)


def unpack_images(root: Path | str, mirror: str, on_bad_sample: OnBadSample = "stop") -> int:
    """Write each image of `mirror` (owner/name) once, its bytes unchanged; returns how many.

    They become `root/mirror_images/<owner>--<name>/<image_id>.<suffix>`, a folder that appears
    complete or not at all. Each is decoded first, and held against `img_width` and `img_height`
    where the mirror has them. Raises UserError where a row is bad (no image, a broken one, two
    different ones with one `image_id`) and `on_bad_sample` is "stop".
    """
    root = Path(root)
    folder, images = shards_folder(root, mirror), images_folder(root, mirror)
    remove_parts(images)  # of an unpacking that was killed
    bad = BadSamples(on_bad_sample)
    digests: dict[str, bytes] = {}  # of the images written, by image_id
    kept = 0
    columns, sizes = ("image", "image_id"), ("img_width", "img_height")
    with atomic_folder(images, "unpack_mirror") as output:
        for _, where, cells in read_rows(folder, columns, sizes, desc=f"unpack {mirror}"):
            try:
                _unpack(cells, where, output, digests)
            except UserError as error:
                bad.add(error)
            else:
                kept += 1
        bad.report(kept, str(folder))
    return len(digests)


def read_id(cell: pa.Scalar, column: str) -> str:
    """An `image_id` or `ann_id` as text; raises UserError where it cannot be a file's name."""
    value = str(cell_value(cell, column))
    if not cell.is_valid or not _IMAGE_ID.fullmatch(value):
        raise UserError(f"its {column} {value[:100]!r} is not a name of letters and digits.")
    return value


def _unpack(
    cells: dict[str, pa.Scalar], where: str, output: Path, digests: dict[str, bytes]
) -> None:
    with prefix_errors(where):
        image_id, data = read_id(cells["image_id"], "image_id"), _image_bytes(cells["image"])
    digest = hashlib.sha256(data).digest()
    if image_id in digests:
        if digests[image_id] != digest:
            raise UserError(
                f"{where}: a row before it has another image of image_id {image_id}; "
                "give each its own."
            )
        return
    width, height = (
        cells[name].as_py() if name in cells else None for name in ("img_width", "img_height")
    )
    size = None if width is None or height is None else (width, height)
    suffix = check_image_bytes(data, where, size)
    (output / f"{image_id}{suffix}").write_bytes(data)
    digests[image_id] = digest


def _image_bytes(cell: pa.Scalar) -> bytes:
    """The file's content: the cell itself, or `bytes` of the struct that `datasets` writes."""
    value = cell_value(cell, "image")
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes) or not data:
        raise UserError("it has no image; fetch a mirror that holds the images themselves.")
    return data
