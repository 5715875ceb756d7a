"""The tiny SAM 2: the real classes at a width that two CPU cores can train.

Its settings are those beside the shipped weights. The video parts are off there (no memory
attention layers, one memory): only images are segmented. A block with global attention must not be
the first of a stage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("weights") / "segmenter" / "config.yaml"
SEGMENTER_CONFIG: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
IMAGE_SIZE: int = SEGMENTER_CONFIG["image_size"]
