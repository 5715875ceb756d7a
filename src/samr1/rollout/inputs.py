"""From questions to what the language model reads: image features and embedded prompts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.vision_utils import get_vision_position_ids

from samr1.policy.model import EncodedPrompt


def encode_images(
    model: Qwen2_5_VLForConditionalGeneration, questions: Sequence[EncodedPrompt]
) -> list[Tensor]:
    """The image features of each question, [merged patches, hidden], in one pass of the tower."""
    device = model.device
    # On the CPU, where the tower reads it to find its windows: read from a GPU, every layer waits.
    grids = torch.cat([question.grid_thw for question in questions])
    positions = get_vision_position_ids(grids, model.model.visual.spatial_merge_size)
    output = model.model.get_image_features(
        torch.cat([question.pixel_values for question in questions]).to(device),
        grids,
        position_ids=positions.to(device),
        return_dict=True,
    )
    return list(output.pooler_output)


def embed_tokens(
    model: Qwen2_5_VLForConditionalGeneration, input_ids: Tensor, image_features: Sequence[Tensor]
) -> Tensor:
    """Embed `input_ids` [B, L] and put row b's `image_features` at its image tokens: [B, L, H].

    Responses hold no image token, so only the prompts' are filled, row by row in order.
    """
    embeddings = model.get_input_embeddings()(input_ids)
    features = torch.cat(list(image_features)).to(embeddings)
    is_image = (input_ids == model.config.image_token_id).unsqueeze(-1)
    return embeddings.masked_scatter(is_image, features)
