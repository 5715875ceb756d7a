"""The distribution over the next token: one definition for sampling and for log-probabilities."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor
from torch.nn.functional import pad

Key = tuple[int | str, ...]

# Far below any logit, and finite: its probability is exactly 0 and 0·log 0 stays 0 in the entropy.
_NEVER = -1e9
# Tokens whose probabilities are summed before the sums are. A GPU walks along a row as long as a
# vocabulary for longer than it takes to make the row.
STRETCH = 1024


def next_token_logprobs(logits: Tensor, blocked: Tensor, temperature: float) -> Tensor:
    """Log-probabilities [..., V] float32 of logits [..., V], blocked tokens out, tempered.

    `blocked` [N] int64 are token ids, on the device of the logits. `temperature` 0 stands for
    greedy decoding; its log-probabilities are those at temperature 1.
    """
    logits = logits.float()
    if temperature not in (0.0, 1.0):
        logits = logits / temperature
    return torch.log_softmax(logits.index_fill(-1, blocked, _NEVER), dim=-1)


def keyed_uniforms(key: Key, count: int) -> Tensor:
    """`count` uniforms in [0, 1), float64 on the CPU, that depend on `key` alone."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest) >> 1)
    return torch.rand(count, generator=generator, dtype=torch.float64)


def choose(table: Tensor, uniforms: Tensor | None, top_p: float) -> Tensor:
    """A token a row [B] from log-probabilities [B, V]: greedy, or by inverse CDF.

    `uniforms` [B] float64 in [0, 1) are the draws, None for greedy. With `top_p` below 1 the
    likeliest tokens that reach it together are drawn from.
    """
    if uniforms is None:
        return table.argmax(dim=-1)
    probabilities = table.double().exp()
    if top_p < 1:
        probabilities = _nucleus(probabilities, top_p)
    return _invert(probabilities, uniforms)


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Keep the likeliest tokens whose probabilities reach `top_p` together; the rest become 0."""
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(probabilities).scatter(1, order, ordered * (before < top_p))


def _invert(weights: Tensor, uniforms: Tensor) -> Tensor:
    """The token [B] at which the cumulative `weights` [B, V] pass the share `uniforms` [B]."""
    rows, length = weights.shape
    uniforms = uniforms.unsqueeze(1)
    if length <= STRETCH:
        heights = weights.cumsum(dim=1)
        return _search(heights, uniforms * _last(heights)).squeeze(1)
    # First the stretch, then the token in it.
    stretches = pad(weights, (0, -length % STRETCH)).view(rows, -1, STRETCH)
    sums = stretches.sum(dim=2)
    heights = sums.cumsum(dim=1)
    goal = uniforms * _last(heights)
    stretch = _search(heights, goal)
    rest = goal - (heights - sums).gather(1, stretch)
    inside = stretches.gather(1, stretch.unsqueeze(2).expand(-1, -1, STRETCH)).squeeze(1)
    return (stretch * STRETCH + _search(inside.cumsum(dim=1), rest)).squeeze(1)


def _search(heights: Tensor, goal: Tensor) -> Tensor:
    """Where `heights` [B, N], which never fall, first exceed `goal` [B, 1]; it is there: [B, 1].

    A goal that rounding has brought to 0 or less, or to the whole, is brought back: so a place that
    adds nothing to the heights is never found.
    """
    whole = _last(heights)
    goal = torch.minimum(goal.clamp(min=0), torch.nextafter(whole, torch.zeros_like(whole)))
    return torch.searchsorted(heights, goal, right=True)


def _last(heights: Tensor) -> Tensor:
    return heights.narrow(1, heights.shape[1] - 1, 1)
