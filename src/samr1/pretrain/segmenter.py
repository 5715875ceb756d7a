"""The tiny SAM 2's training: a box and points in, the thing's mask out.

All three output masks are supervised equally: with the usual best-of-three loss a tiny score head
kept choosing the wrong mask. Boxes are off by a little on each side, as a policy's are, and
prompts come in every form that the dialects use: a box with one point, with two, with a point
that is not on the thing, or alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor
from tqdm import tqdm

from samr1.config.pretrain import SegmenterRecipe
from samr1.micro.scenes import Scene, Thing, draw_scene, generator, render
from samr1.micro.segmenter_config import IMAGE_SIZE
from samr1.segmenter.segmenter import IMAGENET_MEAN, IMAGENET_STD

LOW = IMAGE_SIZE // 4  # side of the mask decoder's output
POINT_COUNTS = {0: 0.15, 1: 0.5, 2: 0.35}  # points beside the box: how often a step has so many


@dataclass(frozen=True)
class Prompts:
    """P prompts an image: coordinates in pixels of the SAM input, masks at its resolution.

    coords [I, P, 2 + K, 2] (the box's two corners first, then K points); labels [I, P, 2 + K];
    masks [I, P, 128, 128] in {0, 1}.
    """

    coords: Tensor
    labels: Tensor
    masks: Tensor


def _mask(scene: Scene, thing: Thing) -> np.ndarray:
    scale = np.array([IMAGE_SIZE / scene.width, IMAGE_SIZE / scene.height])
    corners = np.round(np.array(thing.polygon) * scale * 16).astype(np.int32)
    mask = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    cv2.fillPoly(mask, [corners], 1, shift=4)
    return mask


def _inside(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    index = int(rng.integers(len(rows)))
    return np.array([columns[index], rows[index]], np.float32)


def _prompt(
    rng: np.random.Generator, masks: list[np.ndarray], target: int, points: int, jitter: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates [2 + points, 2] and labels [2 + points] of one prompt for one thing.

    The first point is on the thing; the second is, half the time, on another thing and labelled 0.
    """
    rows, columns = np.nonzero(masks[target])
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
    extent = np.tile(box[2:] - box[:2], 2)
    box = np.clip(box + rng.uniform(-jitter, jitter, 4) * extent, 0, IMAGE_SIZE)
    coords, labels = [*box.reshape(2, 2)], [2, 3]
    others = [mask for index, mask in enumerate(masks) if index != target and mask.any()]
    for number in range(points):
        off = number > 0 and bool(others) and rng.random() < 0.5
        mask = others[int(rng.integers(len(others)))] if off else masks[target]
        coords.append(_inside(rng, mask))
        labels.append(0 if off else 1)
    return np.stack(coords).astype(np.float32), np.array(labels, np.int32)


def make_prompts(rng: np.random.Generator, scenes: list[Scene], recipe: SegmenterRecipe) -> Prompts:
    """Prompts for things of `scenes`, drawn with replacement, all with equally many points."""
    points = int(rng.choice(list(POINT_COUNTS), p=list(POINT_COUNTS.values())))
    coords, labels, wanted = [], [], []
    for scene in scenes:
        masks = [_mask(scene, thing) for thing in scene.things]
        for _ in range(recipe.prompts):
            target = int(rng.integers(len(masks)))
            where, what = _prompt(rng, masks, target, points, recipe.box_jitter)
            coords.append(where)
            labels.append(what)
            wanted.append(masks[target])
    shape = (len(scenes), recipe.prompts)
    return Prompts(
        torch.from_numpy(np.stack(coords)).unflatten(0, shape),
        torch.from_numpy(np.stack(labels)).unflatten(0, shape),
        torch.from_numpy(np.stack(wanted)).unflatten(0, shape).float(),
    )


def see(model: SAM2Base, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Embeddings [I, 64, 8, 8] and the two high-resolution maps of normalised images."""
    out = model.forward_image(images)
    _, features, _, sizes = model._prepare_backbone_features(out)
    features[-1] = features[-1] + model.no_mem_embed
    maps = [
        flat.permute(1, 2, 0).unflatten(2, size) for flat, size in zip(features, sizes, strict=True)
    ]
    return maps[-1], maps[:-1]


def decode(
    model: SAM2Base, embedding: Tensor, fine: list[Tensor], prompts: Prompts
) -> tuple[Tensor, Tensor]:
    """Mask logits [I·P, 3, 32, 32] and predicted scores [I·P, 3]."""
    count = prompts.coords.shape[1]
    sparse, dense = model.sam_prompt_encoder(
        points=(prompts.coords.flatten(0, 1), prompts.labels.flatten(0, 1)), boxes=None, masks=None
    )
    logits, scores, _, _ = model.sam_mask_decoder(
        image_embeddings=embedding.repeat_interleave(count, 0),
        image_pe=model.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
        repeat_image=False,
        high_res_features=[level.repeat_interleave(count, 0) for level in fine],
    )
    return logits, scores


def loss_of(logits: Tensor, scores: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Balanced cross-entropy and Dice over all three masks, and the scores' squared error.

    A thing covers a twentieth of the image: unbalanced, the masks stay empty for long.
    Returns the loss and the IoU [I·P] of the mask with the highest score, at the decoder's size.
    """
    target = F.interpolate(masks.flatten(0, 1)[:, None], size=(LOW, LOW), mode="area")
    target = target.expand_as(logits)
    on = target / target.sum((-1, -2), keepdim=True).clamp(min=1)
    off = (1 - target) / (1 - target).sum((-1, -2), keepdim=True)
    crossed = F.binary_cross_entropy_with_logits(logits, target, on + off, reduction="none")
    soft = logits.sigmoid()
    both = (soft * target).sum((-1, -2))
    dice = 1 - (2 * both + 1) / (soft.sum((-1, -2)) + target.sum((-1, -2)) + 1)
    hard, truth = logits > 0, target > 0.5
    union = (hard | truth).sum((-1, -2)).clamp(min=1)
    iou = (hard & truth).sum((-1, -2)) / union
    loss = crossed.sum((-1, -2)).mean() + dice.mean() + F.mse_loss(scores, iou)
    chosen = iou.gather(1, scores.argmax(1, keepdim=True))[:, 0]
    return loss, chosen


def prepare(scene: Scene) -> Tensor:
    """The scene as SAM's input: float32 [3, 128, 128], normalised."""
    image = torch.from_numpy(np.array(render(scene))).permute(2, 0, 1).float() / 255
    small = F.interpolate(
        image[None], size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", antialias=True
    )[0]
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    return (small - mean[:, None, None]) / std[:, None, None]


def pretrain_segmenter(
    model: SAM2Base,
    recipe: SegmenterRecipe,
    record: Callable[[dict[str, float | str]], None],
) -> None:
    """Train `model` in place; `record` gets a row every 50 steps."""
    torch.manual_seed(recipe.seed)
    rng = generator("pretrain", "segmenter", recipe.seed)
    bar = tqdm(range(recipe.pool), desc="drawing scenes", unit="scene")
    scenes = [draw_scene(generator("pretrain", "picture", index)) for index in bar]
    images = torch.stack([prepare(scene) for scene in scenes])
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.01)
    steps = tqdm(range(recipe.steps), desc="segmenter", unit="step", mininterval=5)
    for step in steps:
        share = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * min(1.0, (step + 1) / 50) * max(share, 0.02)
        chosen = rng.choice(recipe.pool, recipe.images, replace=False)
        prompts = make_prompts(rng, [scenes[int(i)] for i in chosen], recipe)
        embedding, fine = see(model, images[torch.from_numpy(chosen)])
        loss, iou = loss_of(*decode(model, embedding, fine, prompts), prompts.masks)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 49:
            row: dict[str, float | str] = {
                "step": step + 1,
                "loss": float(loss.detach()),
                "iou": float(iou.mean()),
            }
            steps.set_postfix({key: f"{float(value):.3f}" for key, value in row.items()})
            record(row)
    model.eval()
