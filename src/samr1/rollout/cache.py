"""A key-value cache of a fixed length, written in place: a decoding step copies no past."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import DynamicCache, Qwen2_5_VLTextConfig
from transformers.cache_utils import DynamicLayer


class _RoomyLayer(DynamicLayer):
    """A layer with room for `extra` tokens beyond the first block that it is given.

    `DynamicLayer` concatenates at every token, which reads and writes the whole past; here a token
    is one slice written into a buffer, and attention reads a view of it.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.extra = extra
        self.length = 0
        self.rows = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = self._with_room(key_states), self._with_room(value_states)
            self.rows = len(key_states)
        end = self.length + key_states.shape[-2]
        self.keys[: self.rows, :, self.length : end] = key_states
        self.values[: self.rows, :, self.length : end] = value_states
        self.length = end
        return self.keys[: self.rows, :, :end], self.values[: self.rows, :, :end]

    def _with_room(self, states: Tensor) -> Tensor:
        batch, heads, length, size = states.shape
        return states.new_zeros(batch, heads, length + self.extra, size)

    def get_seq_length(self) -> int:
        return self.length


class RoomyCache(DynamicCache):
    """A cache for a prompt of any length and `extra` decoded tokens after it."""

    def __init__(self, config: Qwen2_5_VLTextConfig, extra: int) -> None:
        super().__init__(config=config)
        self.rooms = [_RoomyLayer(extra) for _ in range(config.num_hidden_layers)]
        self.layers = list(self.rooms)

    def repeat_rows(self, times: int) -> None:
        """Repeat each batch row `times` times, side by side."""
        for layer in self.rooms:
            layer.keys = layer.keys.repeat_interleave(times, dim=0)
            layer.values = layer.values.repeat_interleave(times, dim=0)
            layer.rows *= times

    def drop_rows(self, live: Tensor) -> Tensor:
        """Drop the batch rows whose flag in `live` [B] bool is false; return the new row order.

        Only as many rows are copied as are dropped: rows from the end fill the holes.
        """
        count = int(live.sum())
        order = torch.arange(count, device=live.device)
        holes = (~live[:count]).nonzero()[:, 0]
        movers = live[count:].nonzero()[:, 0] + count
        order[holes] = movers
        for layer in self.rooms:
            layer.keys[holes] = layer.keys[movers]
            layer.values[holes] = layer.values[movers]
            layer.rows = count
        return order
