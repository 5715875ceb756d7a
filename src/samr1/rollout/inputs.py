"""From questions to what the language model reads: image features and embedded prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from samr1.policy.families import QwenModel
from samr1.policy.model import EncodedPrompt
from samr1.policy.vision import place_patches


def encode_images(model: QwenModel, questions: Sequence[EncodedPrompt]) -> list[Tensor]:
    """The image features of each question, [merged patches, D·H], in one pass of the tower.

    H is the language model's width. The first H columns are the image at its tokens; a Qwen3-VL has
    more, from within its tower, for its language model to add after its first layers.
    """
    grids = torch.cat([question.grid_thw for question in questions])
    output = model.model.get_image_features(
        torch.cat([question.pixel_values for question in questions]).to(model.device),
        grids,
        **place_patches(model.model.visual, grids),
        return_dict=True,
    )
    if not (deeper := getattr(output, "deepstack_features", None)):
        return list(output.pooler_output)
    return [torch.cat(parts, dim=1) for parts in zip(output.pooler_output, *deeper, strict=True)]


def embed_tokens(
    model: QwenModel, input_ids: Tensor, image_features: Sequence[Tensor]
) -> dict[str, Any]:
    """What the language model takes for `input_ids` [B, L] and row b's `image_features`.

    Its embeddings [B, L, H], with the first H columns of the features at the image tokens; and
    where there are more columns, these and where they go. Responses hold no image token, so only
    the prompts' are filled, row by row in order.
    """
    embeddings = model.get_input_embeddings()(input_ids)
    features = torch.cat(list(image_features)).to(embeddings)
    first, *deeper = features.split(embeddings.shape[2], dim=1)
    is_image = input_ids == model.config.image_token_id
    inputs = {"inputs_embeds": embeddings.masked_scatter(is_image.unsqueeze(-1), first)}
    return inputs | (
        {"visual_pos_masks": is_image, "deepstack_visual_embeds": deeper} if deeper else {}
    )
