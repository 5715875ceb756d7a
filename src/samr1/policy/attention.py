"""The attention of the language model: the mask that a pass brings chooses the kernel.

A block mask goes to FlexAttention, anything else to SDPA, so that one model decodes with a cache
and trains on packed rows with nothing to switch in between. A switch would be back by the time that
gradient checkpointing computes a layer for the second time.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "by_mask"  # the name under which `transformers` knows it


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | BlockMask | None,
    scaling: float,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention of query [B, H, L, D] to key and value [B, K, S, D], K a divisor of H.

    Returns [B, L, H, D], and None for the weights. Raises ValueError for a dropout under a block
    mask, which FlexAttention does not know.
    """
    if not isinstance(attention_mask, BlockMask):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
    if dropout:
        raise ValueError(f"attention under a block mask has no dropout, and {dropout:g} is asked")
    # Uncompiled it serves the tests, on the CPU: there it holds all scores at once.
    flex: Any = _compiled_flex() if query.is_cuda else flex_attention
    output: Tensor = flex(
        query, key, value, block_mask=attention_mask, scale=scaling, enable_gqa=True
    )  # [B, H, L, D]
    return output.transpose(1, 2).contiguous(), None


@cache
def _compiled_flex() -> Any:
    # One kernel for rows of any number and length, and a few for special sizes (a single row or
    # block, two sizes that agree). Beyond the limit torch stops, as `fullgraph` asks, rather than
    # going on uncompiled.
    return torch.compile(  # type: ignore[call-overload]
        flex_attention, dynamic=True, fullgraph=True, recompile_limit=64
    )


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
