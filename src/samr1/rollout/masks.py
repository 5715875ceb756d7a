"""Who sees whom in a packed row: one rule, as a dense mask and as a block mask."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

_BLOCK = 128  # the side of FlexAttention's blocks


def attention_mask(owner: Tensor) -> Tensor | BlockMask:
    """The mask of packed rows whose tokens belong to `owner` [Q, L], in the device's own form."""
    # FlexAttention has no backward pass on a CPU.
    return block_mask(owner) if owner.is_cuda else dense_mask(owner)


def dense_mask(owner: Tensor) -> Tensor:
    """[Q, 1, L, L] bool, query by key."""
    place = torch.arange(owner.shape[1], device=owner.device)
    return _sees(owner[:, :, None], place[:, None], owner[:, None, :], place)[:, None]


def block_mask(owner: Tensor) -> BlockMask:
    """The same as blocks that are empty, full or in part visible; the dense mask is never whole."""
    length = owner.shape[1]
    count = -(-length // _BLOCK)
    place = torch.arange(length, device=owner.device)
    seen = []
    for query in place.split(_BLOCK):
        strip = _sees(owner[:, query, None], query[:, None], owner[:, None, :], place)  # [Q, ≤B, L]
        strip = torch.nn.functional.pad(strip.sum(dim=1), (0, count * _BLOCK - length))
        seen.append(strip.unflatten(1, (count, _BLOCK)).sum(dim=2))
    pairs = torch.stack(seen, dim=1)[:, None]  # [Q, 1, blocks, blocks], visible pairs of tokens
    full = pairs == _BLOCK**2

    def visible(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return _sees(owner[row, query], query, owner[row, key], key)

    return BlockMask.from_kv_blocks(
        *_listed((pairs > 0) & ~full),
        *_listed(full),
        BLOCK_SIZE=_BLOCK,
        mask_mod=visible,
        seq_lengths=(length, length),
    )


def _sees(query_owner: Tensor, query: Tensor, key_owner: Tensor, key: Tensor) -> Tensor:
    """Keys that come no later, of the prompt (owner 0) or of the query's own response."""
    return (query >= key) & ((query_owner == key_owner) | (key_owner == 0))


def _listed(flags: Tensor) -> tuple[Tensor, Tensor]:
    """How many of the last axis' flags are up, and the places in order, those that are up first."""
    order = flags.to(torch.int8).argsort(dim=-1, descending=True, stable=True)
    return flags.sum(dim=-1, dtype=torch.int32), order.to(torch.int32)
