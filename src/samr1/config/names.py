"""The names that a configuration may give to what code defines: dialects and segmentation rewards.

They stand here and not beside their code, because the schema lies below it; a test holds that each
has its code, and no more.
"""

from __future__ import annotations

from typing import Literal, get_args

Dialect = Literal[
    "sam_r1", "sam_r1_points", "seg_zero", "vision_reasoner", "visual_rft", "vlm_r1", "qwen"
]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

MaskReward = Literal["tiered", "fixed"]
