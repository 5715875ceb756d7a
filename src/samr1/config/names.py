"""The names that configuration and code share: dialects, choices of the method, two runs.

They stand here and not beside their code, because the schema lies below it; tests hold that each
has its code, and no more.
"""

from __future__ import annotations

from typing import Literal, get_args

DialectName = Literal[
    "sam_r1",
    "sam_r1_points",
    "sam_r1_list",
    "sam_r1_1000",
    "sam_r1_1000_list",
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
WITHOUT_THOUGHT: tuple[DialectName, ...] = ("qwen", "qwen3")
"""Those that are answered without a thought, and without its tags."""

# The method's choices, the paper's first.
MaskReward = Literal["tiered", "fixed", "iou", "quantile"]
Advantage = Literal["group", "group_mean"]
RatioLevel = Literal["token", "sequence"]
Clip = Literal["ppo", "cispo", "sapo"]
Normaliser = Literal["group", "response", "constant"]

PublicDataset = Literal["reasonseg", "refcoco", "refcoco+", "refcocog", "lisa_grounding"]
PUBLIC_DATASETS: tuple[PublicDataset, ...] = get_args(PublicDataset)

PackedAttention = Literal["flex", "two_calls"]

Tracker = Literal["tensorboard", "wandb", "mlflow"]
"""What shows a training's metrics."""

# The two runs that code knows by name: what every table begins with, and what the paper proposes.
BASE, METHOD = "base", "sam_r1"
