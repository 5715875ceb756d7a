"""The tiny policy's cold start.

Text loss alone hardly teaches a tiny vision tower where things are. So the tower also has to say
what each visual token covers (colour, shape, box) while the language model learns to answer.
Coordinates are learned with targets spread over about a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, Qwen2_5_VLForConditionalGeneration

from samr1.config.pretrain import PolicyRecipe, Stage
from samr1.core.files import atomic_file
from samr1.micro.policy_config import IMAGE_SIZE, PATCH
from samr1.micro.scenes import COLORS, generator
from samr1.pretrain.batches import COORDINATES, SMEAR, Batch, Encoder, collate
from samr1.pretrain.examples import DRAWN, GRID, Picture, draw_picture, make_example

_SIDE = IMAGE_SIZE // PATCH
Record = Callable[[dict[str, float | str]], None]


class DenseHead(nn.Module):
    """Reads colour, shape and box off each visual token [N, hidden]; thrown away afterwards."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.color = nn.Linear(hidden, 1 + len(COLORS))
        self.shape = nn.Linear(hidden, 1 + len(DRAWN))
        self.box = nn.Linear(hidden, 4)

    def forward(self, tokens: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The dense loss, and how well each question is answered on tokens that cover a thing."""
        color, shape = batch.color.flatten(), batch.shape.flatten()
        covered = color > 0
        color_logits, shape_logits = self.color(tokens), self.shape(tokens)
        miss = (self.box(tokens) - batch.boxes.flatten(0, 1))[covered].abs()
        # Shape is by far the hardest to see; on the ground, colour already says that nothing is.
        loss = F.cross_entropy(color_logits, color) + 8.0 * miss.mean()
        loss = loss + 2.0 * F.cross_entropy(shape_logits[covered], shape[covered])
        right = shape_logits.argmax(-1) == shape
        return loss, {
            "dense_color": float((color_logits.argmax(-1) == color)[covered].float().mean()),
            "dense_shape": float(right[covered].float().mean()),
            "dense_box_px": float(miss.detach().mean()) * IMAGE_SIZE,
        }


def see(model: Qwen2_5_VLForConditionalGeneration, patches: Tensor) -> Tensor:
    """Visual tokens [I·36, hidden] of I pictures' patches [I·144, 294]."""
    count = len(patches) // _SIDE**2
    grid = torch.tensor([[1, _SIDE, _SIDE]]).expand(count, 3)
    tokens: Tensor = model.model.visual(patches, grid_thw=grid).pooler_output
    return tokens


def position_ids(ids: Tensor, image_token: int) -> Tensor:
    """3-D positions [3, 1, L] of chats that all begin alike: text, the image, text.

    The image's tokens take time, row and column; the text goes on at the largest position + 1.
    """
    start = int((ids[0] == image_token).nonzero()[0])
    cell = torch.arange(GRID)
    image = torch.stack(
        [
            torch.zeros(GRID * GRID, dtype=torch.long),
            cell.repeat_interleave(GRID),
            cell.repeat(GRID),
        ]
    )
    rest = ids.shape[1] - start - GRID * GRID
    before = torch.arange(start).expand(3, -1)
    after = (start + GRID + torch.arange(rest)).expand(3, -1)
    return torch.cat([before, start + image, after], dim=1)[:, None]


def text_loss(
    model: Qwen2_5_VLForConditionalGeneration,
    batch: Batch,
    tokens: Tensor,
    numbers: Tensor,
) -> Tensor:
    """Cross-entropy of the responses; a coordinate's target is spread over its neighbours."""
    image_token = model.config.image_token_id
    embeds = model.get_input_embeddings()(batch.ids)
    per_row = tokens.view(-1, GRID * GRID, tokens.shape[-1])[batch.picture]
    embeds = embeds.masked_scatter((batch.ids == image_token)[..., None], per_row)
    positions = position_ids(batch.ids, image_token).expand(-1, len(batch.ids), -1)
    hidden = model.model.language_model(
        inputs_embeds=embeds, position_ids=positions, use_cache=False
    ).last_hidden_state
    wanted = batch.labels[:, 1:] >= 0
    logits = model.lm_head(hidden[:, :-1][wanted])
    labels = batch.labels[:, 1:][wanted]
    flags = batch.is_coordinate[:, 1:][wanted]
    target = F.one_hot(labels, logits.shape[-1]).float()
    value = torch.zeros(logits.shape[-1])
    value[numbers] = torch.arange(COORDINATES, dtype=torch.float)
    gap = torch.arange(COORDINATES)[None] - value[labels[flags]][:, None]
    spread = torch.softmax(-(gap**2) / (2 * SMEAR**2), dim=-1)
    target[flags] = torch.zeros(len(spread), logits.shape[-1]).index_copy_(1, numbers, spread)
    losses = F.cross_entropy(logits, target, reduction="none")
    return losses.mean() + 2.0 * losses[flags].mean()


def pretrain_policy(
    model: Qwen2_5_VLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    recipe: PolicyRecipe,
    *,
    folder: Path,
    record: Record,
) -> None:
    """Train `model` in place through the recipe's stages; `record` gets a row every 50 steps.

    Each finished stage is kept in `folder` as `<name>.safetensors`; a stage that is there already
    is loaded, so that an interrupted cold start goes on with the first missing one.
    """
    torch.manual_seed(recipe.seed)
    encoder = Encoder(tokenizer)
    head = DenseHead(model.lm_head.in_features)
    both = nn.ModuleDict({"policy": model, "head": head})
    pool: list[Picture] = []
    for stage in recipe.stages:
        kept = folder / f"{stage.name}.safetensors"
        if kept.is_file():
            load_model(both, kept)
            continue
        if not pool:
            bar = tqdm(range(recipe.pictures), desc="drawing pictures", unit="picture")
            pool = [draw_picture(index) for index in bar]
        _run_stage(model, head, encoder, pool, stage, recipe.seed, record)
        with atomic_file(kept) as temporary:
            save_model(both, str(temporary))


def _run_stage(
    model: Qwen2_5_VLForConditionalGeneration,
    head: DenseHead,
    encoder: Encoder,
    pool: list[Picture],
    stage: Stage,
    seed: int,
    record: Record,
) -> None:
    """Warm-up over 50 steps, then a cosine down to 2 % of the learning rate."""
    rng = generator("pretrain", "examples", stage.name, seed)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=stage.learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    bar = tqdm(range(stage.steps), desc=stage.name, unit="step", mininterval=5)
    for step in bar:
        warm = min(1.0, (step + 1) / 50)
        share = 0.5 * (1 + math.cos(math.pi * step / stage.steps))
        for group in optimizer.param_groups:
            group["lr"] = stage.learning_rate * warm * max(share, 0.02)
        row = _step(model, head, encoder, pool, stage, rng, optimizer, parameters)
        if step % 50 == 49:
            bar.set_postfix({key: f"{value:.3f}" for key, value in row.items()})
            record({"stage": stage.name, "step": step + 1, **row})


def _step(
    model: Qwen2_5_VLForConditionalGeneration,
    head: DenseHead,
    encoder: Encoder,
    pool: list[Picture],
    stage: Stage,
    rng: np.random.Generator,
    optimizer: torch.optim.Optimizer,
    parameters: list[nn.Parameter],
) -> dict[str, float]:
    chosen = [pool[int(i)] for i in rng.choice(len(pool), stage.pictures, replace=False)]
    examples = [
        [make_example(rng, picture.scene, stage) for _ in range(stage.questions)]
        for picture in chosen
    ]
    batch = collate(encoder, chosen, examples)
    tokens = see(model, batch.patches)
    seen, row = head(tokens, batch)
    spoken = text_loss(model, batch, tokens, encoder.numbers)
    row["text"] = float(spoken.detach())
    loss = spoken + 0.3 * seen
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    return row
