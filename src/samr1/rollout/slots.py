"""A key-value cache of buffers that never move: a row for each response, and a length a row.

A decoding step writes a row's token at the row's own length, so rows of any age stand side by side,
nothing of the past is copied, and every step has the same shapes and addresses: a CUDA graph can
replay it. Places beyond a row's length are masked, which is enough as long as they are finite. They
are: a row that is filled is wiped first, even of NaN, and what follows a prompt in its padding came
out of the same pass as the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from samr1.policy.families import head_size


class Slots:
    """The keys and the values of every layer, [rows, heads, places, size].

    In memory too: attention reads all places of a head, and on a CPU takes half as long again where
    other heads stand between them. `lengths` [rows] int64 is the number of a row's tokens, which
    stand from place 0 on. A row that is done computes along with the others: it writes behind its
    last token, again and again.
    """

    def __init__(self, config: Any, rows: int, places: int, like: Tensor) -> None:
        """Empty rows for a language model of `config`, where `like` is and in its format."""
        size = head_size(config)
        heads = config.num_key_value_heads or config.num_attention_heads
        shape = (rows, heads, places, size)
        layers = range(config.num_hidden_layers)
        self.rows, self.places, self.size = rows, places, size
        self.keys = [like.new_zeros(shape) for _ in layers]
        self.values = [like.new_zeros(shape) for _ in layers]
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=like.device)
        self.order = torch.arange(places, device=like.device)
        # Where each head of each row begins, were all places of a layer in one line.
        self.begins = torch.arange(rows * heads, device=like.device).view(rows, heads) * places

    def window(self, rows: int, places: int) -> Window:
        """The first `rows` rows and `places` places, as one decoding step sees them."""
        return Window(self, rows, places)

    def prompts(self, rows: Sequence[int], sources: Sequence[int], lengths: Tensor) -> Prompts:
        """A cache for a pass over prompts of `lengths` [Q]; `rows[i]` gets prompt `sources[i]`."""
        to, of = self._indices(rows), self._indices(sources)
        self.lengths[to] = lengths[of]
        return Prompts(self, to, of)

    def move(self, targets: Sequence[int], sources: Sequence[int], places: int) -> None:
        """Let rows `targets` hold what `sources` hold in the first `places` places.

        No source is a target, and neither has held anything beyond those places.
        """
        to, of = self._indices(targets), self._indices(sources)
        self.lengths[to] = self.lengths[of]
        for buffer in (*self.keys, *self.values):
            cut = buffer.narrow(2, 0, places)
            cut.index_copy_(0, to, cut.index_select(0, of))

    def _indices(self, rows: Sequence[int]) -> Tensor:
        return torch.tensor(rows, dtype=torch.int64, device=self.lengths.device)


class Prompts(Cache):
    """The cache of a pass over prompts: each layer goes straight into the prompts' rows."""

    def __init__(self, slots: Slots, rows: Tensor, sources: Tensor) -> None:
        super().__init__(layers=[])
        self.slots, self.rows, self.sources = slots, rows, sources

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keep the states [Q, heads, P, size] of a layer, and give them back for its attention."""
        length = key_states.shape[2]
        for buffers, states in ((self.slots.keys, key_states), (self.slots.values, value_states)):
            buffer = buffers[layer_idx]
            buffer.index_fill_(0, self.rows, 0)
            prompts = states.index_select(0, self.sources)
            buffer.narrow(2, 0, length).index_copy_(0, self.rows, prompts)
        return key_states, value_states


class Window(Cache):
    """The cache of decoding steps over the first rows and places of all buffers."""

    def __init__(self, slots: Slots, rows: int, places: int) -> None:
        super().__init__(layers=[])
        self.slots = slots
        self.lengths = slots.lengths.narrow(0, 0, rows)
        self._begins = slots.begins.narrow(0, 0, rows)
        self._order = slots.order.narrow(0, 0, places)
        self._written = self._begins.flatten()  # until a step says where
        # A layer's keys and values: a line of all places, and what a step sees of them.
        pairs = list(zip(slots.keys, slots.values, strict=True))
        self._lines = [[buffer.view(-1, slots.size) for buffer in pair] for pair in pairs]
        self._seen = [
            [buffer.narrow(0, 0, rows).narrow(2, 0, places) for buffer in pair] for pair in pairs
        ]

    def advance(self, done: Tensor) -> Tensor:
        """Take one more token for the rows that are not `done` [B]; the mask [B, 1, 1, places].

        It is 0 where the new token may look and -inf elsewhere, in the format of the states, which
        saves a conversion a layer. Its rows begin at multiples of 8 numbers where `places` is one,
        as CUDA's memory-efficient attention wants them.
        """
        self._written = (self._begins + self.lengths.unsqueeze(1)).flatten()
        mask = self.slots.keys[0].new_zeros(len(done), len(self._order))
        mask.masked_fill_(self._order > self.lengths.unsqueeze(1), float("-inf"))
        self.lengths.add_(done.logical_not())
        return mask.unsqueeze(1).unsqueeze(1)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write the token's states [B, heads, 1, size] of a layer; all that there is of it."""
        for line, states in zip(self._lines[layer_idx], (key_states, value_states), strict=True):
            line.index_copy_(0, self._written, states.reshape(-1, self.slots.size))
        keys, values = self._seen[layer_idx]
        return keys, values
