"""What the tests of hostile data share: small inputs, and what every bad one has to end in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_world import square, write_reasonseg
from PIL import Image

from samr1.core.errors import UserError
from samr1.data import masks, reasonseg

ALL = 100  # pixels of the square mask


def refused(told: str, read: Callable[[], object]) -> None:
    """`read` ends in one sentence that says `told`."""
    with pytest.raises(UserError, match=told) as caught:
        read()
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".")


def as_png(image: Image.Image) -> bytes:
    """A picture's file."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()


def odd_tiff() -> bytes:
    """A TIFF over which Pillow stumbles with a TypeError: one of its numbers is a text."""
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, format="TIFF")
    for place in range(8, len(content.getvalue())):
        data = bytearray(content.getvalue())
        data[place] = 2  # where it is the kind of a tag, that of texts
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
        except TypeError:
            return bytes(data)
        except Exception:
            continue
    raise AssertionError("Pillow reads them all")


def grey(off: int, on: int) -> Image.Image:
    """The square as a picture of two shades."""
    return Image.fromarray(np.where(square(), on, off).astype(np.uint8))


def compressed(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's compressed run lengths, in the form of its JSON."""
    rle = masks.encode_mask(mask)
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def write_samples(root: Path) -> pa.Table:
    """The one sample of a ReasonSeg set that is written below `root`."""
    write_reasonseg(root)
    return reasonseg.read(root, "val")
