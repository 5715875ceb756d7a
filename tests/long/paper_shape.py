"""Models of the paper's shape and the micro world's size: 840 pixels, 900 visual tokens, SAM 1024.

The shipped weights carry over: the patches of 14 pixels see what patches of 7 saw at half the size,
and nothing in SAM 2's weights knows the image's size. What the policy answers means nothing.
"""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

from snakemake_calls import ROOT
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from samr1.policy.model import assemble_policy, load_policy, save_policy

WEIGHTS = ROOT / "src" / "samr1" / "micro" / "weights"
IMAGE_SIZE, PATCH, WINDOW = 840, 14, 112  # pixels, as in the public models
SEGMENTER_SIZE = 1024
_PATCHES = "model.visual.patch_embed.proj.weight"  # [hidden, colours, frames, patch, patch]


def save_policy_of_shape(folder: Path) -> None:
    """Write the shipped policy with patches of 14 pixels."""
    micro = load_policy(WEIGHTS / "policy")
    config = copy.deepcopy(micro.model.config)
    vision = config.vision_config
    wider = PATCH // vision.patch_size
    vision.patch_size, vision.window_size = PATCH, WINDOW
    config.text_config.max_position_embeddings = 4096
    weights = micro.model.state_dict()
    wide = weights[_PATCHES].repeat_interleave(wider, 3).repeat_interleave(wider, 4)
    weights[_PATCHES] = wide / wider**2
    model = Qwen2_5_VLForConditionalGeneration(config)
    model.load_state_dict(weights)
    pixels = IMAGE_SIZE**2
    processor = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        merge_size=vision.spatial_merge_size,
        min_pixels=pixels,
        max_pixels=pixels,
    )
    save_policy(assemble_policy(model, micro.tokenizer, processor), folder)


def save_segmenter_of_shape(folder: Path) -> None:
    """Write the shipped SAM 2 with an input of 1,024 pixels a side."""
    shutil.copytree(WEIGHTS / "segmenter", folder)
    file = folder / "config.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    sized = [f"image_size: {SEGMENTER_SIZE}" if "image_size:" in line else line for line in lines]
    assert sized != lines
    file.write_text("\n".join(sized) + "\n", encoding="utf-8")
