"""Who sees whom in a packed row: one rule, as groups of rows and as a block mask."""

from __future__ import annotations

from functools import cache, partial

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

from samr1.policy.attention import PackedGroups, PackedRows

_BLOCK = 128  # the side of FlexAttention's blocks


def attention_mask(owner: Tensor) -> PackedRows:
    """The mask of packed rows whose tokens belong to `owner` [Q, L]; the model takes its form."""
    return PackedRows(cache(partial(packed_groups, owner)), cache(partial(block_mask, owner)))


def packed_groups(owner: Tensor) -> PackedGroups:
    """The prompts and responses of the rows; responses without a packed token are left out."""
    rows, length = owner.shape
    prompts = (owner == 0).sum(dim=1)  # [Q]
    prompt = int(prompts.max())
    row, column = (owner > 0).nonzero(as_tuple=True)
    # A response's tokens stand side by side, so its number changes where the next one begins.
    _, response, lengths = torch.unique_consecutive(
        row * (int(owner.max()) + 1) + owner[row, column], return_inverse=True, return_counts=True
    )
    starts = lengths.cumsum(dim=0) - lengths
    longest = int(lengths.max()) if len(lengths) else 0
    time = torch.arange(len(row), device=owner.device) - starts[response]
    row_of = row[starts]  # [R]
    tokens = (row_of * length)[:, None].repeat(1, longest)
    tokens[response, time] = row * length + column
    order = torch.arange(max(prompt, longest), device=owner.device)
    of_prompt = order[:prompt] < prompts[row_of, None]  # [R, P]
    own = order[:longest, None] >= order[:longest]  # [T, T]
    visible = torch.cat(
        [
            of_prompt[:, None, :].expand(-1, longest, -1),
            own[None].expand(len(row_of), -1, -1),
        ],
        dim=2,
    )
    place = torch.zeros_like(owner)
    place[:, :prompt] = torch.arange(rows * prompt, device=owner.device).view(rows, prompt)
    place[row, column] = rows * prompt + response * longest + time
    return PackedGroups(
        prompt=prompt,
        row=row_of,
        tokens=tokens,
        visible=visible[:, None],
        place=place.flatten(),
    )


def block_mask(owner: Tensor) -> BlockMask:
    """The same as blocks that are empty, full or in part visible; no mask is [L, L] whole."""
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
