"""The vision tower as a GPU likes it: windows attended together, patches embedded as a product.

Neither changes what is saved: names and shapes of the weights stay the published ones.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.vision_utils import (
    get_vision_interpolation_indices_and_weights,
    get_vision_position_ids,
)

# A tower hands over all windows with their bounds only to an attention whose name has `flash` in
# it; to any other it hands one window after another.
WINDOWS = "windows_as_flash_takes_them"


def attend_windows(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    scaling: float,
    *,
    cu_seq_lens_q: Tensor,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention within each window of query, key and value [1, H, S, D]; windows stand in a row.

    `cu_seq_lens_q` [W + 1] are their bounds, from 0 to S; on the CPU they are read without waiting
    for a GPU. Windows of one length share a call: those of an image have three at most. Returns
    [1, S, H, D], and None for the weights.
    """
    lengths = cu_seq_lens_q.diff().tolist()
    windows = [states.split(lengths, dim=2) for states in (query, key, value)]
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for i, length in enumerate(lengths):
        alike[length].append(i)
    done: dict[int, Tensor] = {}
    for members in alike.values():
        q, k, v = (torch.cat([parts[i] for i in members]) for parts in windows)  # [N, H, length, D]
        output = scaled_dot_product_attention(q, k, v, scale=scaling)
        done.update(zip(members, output.transpose(1, 2), strict=True))  # [length, H, D] each
    return torch.cat([done[i] for i in range(len(lengths))])[None], None


AttentionInterface.register(WINDOWS, attend_windows)


class PatchProduct(nn.Module):
    """A convolution whose patches do not overlap, as one matrix product, with its own weight.

    cuDNN has no backward pass of the three-dimensional one in bfloat16 on every GPU, and no fast
    one. `transformers` can do the same by its `fusion_config`, but then writes that key into every
    saved configuration and replaces the class in the whole process.
    """

    def __init__(self, convolution: nn.Conv3d) -> None:
        super().__init__()
        self.weight = convolution.weight  # [D, C, T, h, w], as it is published
        self.bias = convolution.bias

    def forward(self, patches: Tensor) -> Tensor:
        """[N, C, T, h, w] to [N, D]."""
        return linear(patches.flatten(1), self.weight.flatten(1), self.bias)


def place_patches(tower: PreTrainedModel, grids: Tensor) -> dict[str, Tensor]:
    """Where the patches of images of `grids` [N, 3] stand, as the tower is told: on its device.

    `grids` are on the CPU, where each tower reads them: from a GPU, every layer would wait. Their
    rows and columns and, for a tower with a table of learned positions, which of these are mixed.
    """
    model: Any = tower
    merge = model.spatial_merge_size
    places = {"position_ids": get_vision_position_ids(grids, merge)}
    if hasattr(model, "pos_embed"):
        places["interp_indices"], places["interp_weights"] = (
            get_vision_interpolation_indices_and_weights(
                grids,
                model.num_grid_per_side,
                model.interpolation_mode,
                model.interpolation_align_corners,
                merge,
            )
        )
    return {name: place.to(tower.device) for name, place in places.items()}


def prepare_tower(tower: PreTrainedModel) -> None:
    """Let a Qwen-VL's vision tower attend windows together and, on a GPU, multiply patches.

    On a CPU the convolution stays: the product rounds its last digits otherwise.
    """
    # Not by `set_attn_implementation`, which would look for a kernel of that name on the hub.
    tower.config._attn_implementation = WINDOWS
    if tower.device.type == "cuda":
        embedding: Any = tower.patch_embed
        embedding.proj = PatchProduct(embedding.proj)
