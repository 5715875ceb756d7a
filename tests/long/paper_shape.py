"""Models of the paper's shape and the micro world's size: 840 pixels, 900 visual tokens, SAM 1024.

The shipped weights carry over: the patches of 14 pixels see what patches of 7 saw at half the size,
and nothing in SAM 2's weights knows the image's size. A minute of teaching then gives the policy
its tongue back, so that its answers differ and earn different rewards; what it sees means little.
"""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from snakemake_calls import ROOT
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from samr1.data.images import load_original
from samr1.data.resizing import to_square
from samr1.policy.dialects import get_dialect
from samr1.policy.model import (
    EncodedPrompt,
    Policy,
    assemble_policy,
    encode_question,
    load_policy,
    save_policy,
)
from samr1.rollout.logprobs import response_logprobs

WEIGHTS = ROOT / "src" / "samr1" / "micro" / "weights"
IMAGE_SIZE, PATCH, WINDOW = 840, 14, 112  # pixels, as in the public models
SEGMENTER_SIZE = 1024
STEPS, LEARNING_RATE = 60, 1e-3  # of the teaching
_PATCHES = "model.visual.patch_embed.proj.weight"  # [hidden, colours, frames, patch, patch]


def save_policy_of_shape(folder: Path, samples: list[dict[str, Any]], root: Path) -> None:
    """Write the shipped policy with patches of 14 pixels, taught to answer `samples` in form."""
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
    policy = assemble_policy(model, micro.tokenizer, processor)
    _teach(policy, samples, root)
    save_policy(policy, folder)


def _teach(policy: Policy, samples: list[dict[str, Any]], root: Path) -> None:
    """Raise the likelihood of well-formed answers with the true boxes, question after question."""
    torch.manual_seed(0)
    policy.model.eval()
    lessons = [_lesson(policy, sample, root) for sample in samples]
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=LEARNING_RATE)
    for step in range(STEPS):
        question, response = lessons[step % len(lessons)]
        scored = response_logprobs(
            policy.model,
            [question],
            [[response]],
            temperature=1.0,
            blocked_token_ids=policy.blocked_token_ids,
        )
        loss = -scored.logprobs[scored.mask].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.model.parameters(), 1.0)
        optimizer.step()
        print(f"teach: step {step}, loss {loss.item():.3f}")


def _lesson(policy: Policy, sample: dict[str, Any], root: Path) -> tuple[EncodedPrompt, list[int]]:
    """A question at the policy's size, and a right answer's tokens."""
    pixels = load_original(root / sample["image_path"], sample["width"], sample["height"], "")
    image = to_square(pixels, IMAGE_SIZE)
    across, down = IMAGE_SIZE / sample["width"], IMAGE_SIZE / sample["height"]
    left, top, right, bottom = sample["box"]
    box = (left * across, top * down, right * across, bottom * down)
    point = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1)
    text = get_dialect("sam_r1").respond("look for it .", box, [point], "red star")
    tokens = [*policy.tokenizer(text)["input_ids"], policy.stop_token_id]
    return encode_question(policy, image, sample["query"], "sam_r1"), tokens


def save_segmenter_of_shape(folder: Path) -> None:
    """Write the shipped SAM 2 with an input of 1,024 pixels a side."""
    shutil.copytree(WEIGHTS / "segmenter", folder)
    file = folder / "config.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    sized = [f"image_size: {SEGMENTER_SIZE}" if "image_size:" in line else line for line in lines]
    assert sized != lines
    file.write_text("\n".join(sized) + "\n", encoding="utf-8")
