"""What every reader of a layout makes: questions on checked images, their place in a file known."""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from samr1.config.own_data import OwnDataStage
from samr1.core.errors import UserError
from samr1.core.reading import check_file, is_text
from samr1.data.bad_samples import BadSamples
from samr1.data.frames import check_turn
from samr1.data.image_files import MAX_BYTES, Size, find_turn
from samr1.data.images import digest_pixels
from samr1.data.masks import Mask, Rle, encode_mask, mask_box

_REMEDY = "put the image there, or correct its name, `root` or `images`"


@dataclass(frozen=True)
class Truth:
    """What a question asks for: `box` is xyxy, all of it in pixels of the image as it lies.

    `mask` is None where the box is all that is known; `ignore` where no pixel is to be left out.
    """

    box: list[float]
    mask: Rle | None
    ignore: Rle | None = None


@dataclass(frozen=True)
class Question:
    """One question as its file has it: `place` says where, `split` is the data's own name."""

    place: str
    id: str
    image: str  # below the root
    size: Size
    query: str
    truth: Truth
    sentence_index: int = 0
    split: str | None = None


@dataclass
class Source:
    """What a reader reads from and tells: the settings, the images, what is bad or left out."""

    stage: OwnDataStage
    bad: BadSamples
    left_out: Counter[str] = field(default_factory=Counter)  # why -> how often; nothing is wrong
    digests: dict[str, str] = field(default_factory=dict)  # image -> of its size and pixels
    _looked_at: dict[str, tuple[Size, int] | UserError] = field(default_factory=dict)  # with turn

    @property
    def root(self) -> Path:
        return Path(self.stage.root)

    def size(self, image: str, told: Size | None = None) -> Size:
        """Width and height of `image`, whose annotation says `told`; it is decoded once.

        Raises UserError where it cannot be read, or its annotation is of another frame.
        """
        path = self.root / image
        if image not in self._looked_at:
            try:
                check_file(path, MAX_BYTES, _REMEDY)
                size, self.digests[image] = digest_pixels(path)
                self._looked_at[image] = size, find_turn(path)
            except UserError as error:
                self._looked_at[image] = error
        found = self._looked_at[image]
        if isinstance(found, UserError):
            raise found
        size, turn = found
        check_turn(path, turn, size, told)
        if told is not None and told != size:
            raise UserError(
                f"{path}: the image is {size[0]}×{size[1]} pixels and its annotation says "
                f"{told[0]}×{told[1]}; one of them belongs to another image."
            )
        return size


def below(root: Path, folder: str, name: object, what: str) -> str:
    """The path below the root that a file gives as `name`, counted from `folder` below the root.

    Backslashes, as Windows writes them, count as slashes; an absolute path may lead into the root.
    Raises UserError, calling it `what`, where it is no text or leads out of the root.
    """
    if isinstance(name, (bytes, dict)):
        raise UserError(
            f"its {what} lies inside of the table; write it into a file and its path in its place "
            "(src/samr1/data/README.md has the few lines for that)."
        )
    if not is_text(name) or not name.strip():
        raise UserError(f"its {what} is no name of a file; write its path.")
    told = name.strip().replace("\\", "/")
    for top in (os.path.abspath(root), os.path.realpath(root)) if told.startswith("/") else ():
        if told.startswith(f"{top}/"):
            folder, told = ".", posixpath.relpath(told, top)
    path = PurePosixPath(posixpath.normpath(posixpath.join(folder, told)))
    if path.is_absolute() or path.parts[:1] in ((), ("..",)) or re.match(r"\w+:/", told):
        raise UserError(
            f"its {what}, {name!r}, leads out of the data set's folder; write the path relative to "
            "it, and keep the file there."
        )
    return str(path)


def check_shows(mask: Mask) -> None:
    """Raise UserError where no pixel of a mask [h, w] is set."""
    if not mask.any():
        raise UserError("its mask is empty, and a question has to ask for something; leave it out.")


def mask_truth(mask: Mask, ignore: Mask | None = None) -> Truth:
    """The truth that a mask [h, w] is; raises UserError where no pixel of it is set."""
    check_shows(mask)
    left_out = None if ignore is None or not ignore.any() else encode_mask(ignore)
    return Truth(mask_box(mask), encode_mask(mask), left_out)
