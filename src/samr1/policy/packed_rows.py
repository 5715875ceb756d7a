"""Who sees whom in a packed row: one rule, as groups of rows and as a block mask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

_BLOCK = 128  # the side of FlexAttention's blocks


@dataclass(frozen=True)
class PackedRows:
    """Rows whose tokens belong to `owner` [Q, L]: 0 the prompt, 1..G the responses, -1 padding.

    Either form of their mask is made when an attention asks for it, and once.
    """

    owner: Tensor

    @cached_property
    def groups(self) -> PackedGroups:
        return packed_groups(self.owner)

    @cached_property
    def blocks(self) -> BlockMask:
        return block_mask(self.owner)


@dataclass(frozen=True)
class PackedGroups:
    """Where the prompts and responses of Q packed rows of length L stand, as SDPA is to read them.

    `prompt` P, the longest prompt; `row` [R] int64, the row of each response; `tokens` [R, T]
    int64, the places of its tokens among the Q·L of all rows, and any place beyond its end;
    `visible` [R, 1, T, P + T] bool, what each of its tokens sees of its row's first P places and
    then of itself; `place` [Q·L] int64, where each packed token's result stands after those of Q·P
    prompt places and R·T response tokens are put side by side.
    """

    prompt: int
    row: Tensor
    tokens: Tensor
    visible: Tensor
    place: Tensor


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
