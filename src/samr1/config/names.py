"""The names that configuration and code share: dialects, rewards, attentions, two runs.

Dialects and rewards stand here and not beside their code, because the schema lies below it; a test
holds that each has its code, and no more.
"""

from __future__ import annotations

from typing import Literal, get_args

DialectName = Literal[
    "sam_r1",
    "sam_r1_points",
    "sam_r1_1000",
    "seg_zero",
    "vision_reasoner",
    "visual_rft",
    "vlm_r1",
    "qwen",
    "qwen3",
]
DIALECTS: tuple[DialectName, ...] = get_args(DialectName)
POINT_VALUES: tuple[DialectName, ...] = ("sam_r1_points",)
"""Those whose points have values, 1 on the object and 0 off it."""

MaskReward = Literal["tiered", "fixed"]

PackedAttention = Literal["flex", "two_calls"]

Tracker = Literal["wandb", "mlflow"]
"""What shows a training's metrics beside TensorBoard."""

# The two runs that code knows by name: what every table begins with, and what the paper proposes.
BASE, METHOD = "base", "sam_r1"
