"""The size of a segmenter without building it.

Counted of the models that the sam2 package builds from its own yaml files; a SAM 2 cannot be built
on torch's meta device.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Size on the hub -> numbers of SAM 2's weights, channels of the first stage.
_KNOWN = {
    "tiny": (38_945_986, 96),
    "small": (46_043_842, 96),
    "base-plus": (80_833_666, 112),
    "large": (224_430_130, 144),
}
_MORE = 16_512  # numbers that SAM 2.1 has more


@dataclass(frozen=True)
class SegmenterSize:
    """The bytes of a segmenter's weights, which are float32, and its encoder's first channels."""

    weights: int
    channels: int


def find_segmenter_size(path: str) -> SegmenterSize:
    """The size of a local segmenter (folder or file) or of a public checkpoint, by its hub name.

    A name that is not known counts as the largest public one's, and so do a folder's channels.
    """
    place = Path(path)
    family, _, size = path.partition("@")[0].rpartition("/")[2].lower().partition("-hiera-")
    numbers, channels = _KNOWN.get(size, _KNOWN["large"])
    weights = 4 * (numbers if family == "sam2" and size in _KNOWN else numbers + _MORE)
    if place.exists():
        files = [place] if place.is_file() else place.iterdir()
        kept = (file for file in files if file.suffix in {".safetensors", ".pt"})
        weights = sum(file.stat().st_size for file in kept)
    return SegmenterSize(weights, channels)
