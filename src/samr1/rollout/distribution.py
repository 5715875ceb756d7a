"""The distribution over the next token: one definition for sampling and for log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Far below any logit, and finite: its probability is exactly 0 and 0·log 0 stays 0 in the entropy.
_NEVER = -1e9


def next_token_logprobs(
    logits: Tensor, blocked_token_ids: Sequence[int], temperature: float
) -> Tensor:
    """Log-probabilities [..., V] float32 of logits [..., V], blocked tokens out, tempered.

    `temperature` 0 stands for greedy decoding; its log-probabilities are those at temperature 1.
    """
    logits = logits.float()
    if temperature not in (0.0, 1.0):
        logits = logits / temperature
    if blocked_token_ids:
        blocked = torch.tensor(blocked_token_ids, device=logits.device)
        logits = logits.index_fill(-1, blocked, _NEVER)
    return torch.log_softmax(logits, dim=-1)
