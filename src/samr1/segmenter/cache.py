"""Image embeddings on disk, for runs that see the same images.

One file an image, in bfloat16, named after a digest of all that the embedding depends on: the
segmenter's files, the pixels, and the arithmetic of this machine. So nothing stale is ever read,
files appear whole, whoever writes one writes the same bytes, and one that is gone is made again:
any number of processes and runs may share a folder.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from samr1.config.schema import CacheConfig
from samr1.core.errors import UserError
from samr1.core.files import atomic_file
from samr1.segmenter.files import SegmenterFiles

# To be raised when the segmenter comes to compute something else from the same files and pixels.
_VERSION = 1

# Only files of these names are ever removed: the folder may hold others.
_ENTRIES = "embedding-*.safetensors"
_PARTS = ".embedding-*.part-*"
_SECONDS_OF_A_DEAD_PART = 3600.0
# A process lists the folder each time it has written this share of the bound, so that a write costs
# the same however much is there; by so much each process may pass the bound.
_SHARE_UNSEEN = 1 / 64


class EmbeddingCache:
    """Embeddings of one segmenter, as lists of tensors (finest level first), by image."""

    def __init__(
        self, config: CacheConfig, segmenter: SegmenterFiles, device: torch.device
    ) -> None:
        """A cache in `config.folder` for the segmenter of two files, computed on `device`."""
        self._folder = Path(config.folder)
        self._bytes = int(config.gigabytes * 1e9)
        self._segmenter = _identity(segmenter, device)
        self._unseen = float("inf")  # bytes written since the folder was listed

    def place(self, image: np.ndarray) -> Path:
        """The file of an RGB image, uint8 [h, w, 3]; it need not be there."""
        digest = self._segmenter.copy()
        digest.update(repr(image.shape).encode())
        digest.update(np.ascontiguousarray(image).data)
        return self._folder / f"embedding-{digest.hexdigest()}.safetensors"

    def read(self, place: Path) -> list[Tensor] | None:
        """The levels bfloat16 that `write` put there, or None where there is no such file.

        Raises UserError where it cannot be read.
        """
        try:
            data = place.read_bytes()
            os.utime(place)  # used just now: the oldest go first
            levels = load(data)
            return [levels.pop(f"level_{i}") for i in range(len(levels))]
        except FileNotFoundError:
            return None  # never there, or another process has made room
        except (OSError, SafetensorError, KeyError) as error:
            raise UserError(
                f"{place}: this cached embedding cannot be read ({error}); delete the file."
            ) from error

    def write(self, place: Path, levels: Sequence[Tensor]) -> None:
        """Keep the levels of an image, and remove what was used longest ago where it is too much.

        Raises UserError where the disk is full or read-only.
        """
        with atomic_file(place) as temporary:
            save_file(
                {f"level_{i}": level.cpu().contiguous() for i, level in enumerate(levels)},
                temporary,
            )
            self._unseen += temporary.stat().st_size
        if self._unseen > _SHARE_UNSEEN * self._bytes:
            self._keep_within_bound()
            self._unseen = 0

    def _keep_within_bound(self) -> None:
        """List the folder, which other processes fill too, and remove what is too much."""
        files = []
        for place in self._folder.glob(_ENTRIES):
            with suppress(FileNotFoundError):  # other processes make room too
                status = place.stat()
                files.append((status.st_mtime_ns, status.st_size, place))
        total = sum(size for _, size, _ in files)
        for _, size, place in sorted(files):
            if total <= self._bytes:
                break
            place.unlink(missing_ok=True)
            total -= size
        for part in self._folder.glob(_PARTS):  # of processes that were killed
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _SECONDS_OF_A_DEAD_PART:
                    part.unlink()


def _identity(segmenter: SegmenterFiles, device: torch.device) -> hashlib._Hash:
    """The beginning of every digest: all but the image."""
    digest = hashlib.sha256()
    for path in (segmenter.config, segmenter.weights):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    # Sums are rounded by their order, which goes with the library, the device and the threads.
    chip = "cpu"
    if device.type == "cuda":
        rounding = "tf32" if torch.backends.cuda.matmul.allow_tf32 else "float32"
        chip = f"{torch.cuda.get_device_name(device)} {rounding}"
    arithmetic = (_VERSION, torch.__version__, chip, torch.get_num_threads())
    digest.update(repr(arithmetic).encode())
    return digest
