"""Plain, slow twins of what is optimised: one response, one token at a time."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.distribution import next_token_logprobs


def plain_logits(policy: Policy, question: EncodedPrompt, response: list[int]) -> Tensor:
    """The twin: one full forward pass of one response by the model's own front door, [T, V]."""
    input_ids = torch.cat([question.input_ids, torch.tensor(response, dtype=torch.int64)])[None]
    logits = policy.model(
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids),
        pixel_values=question.pixel_values,
        image_grid_thw=question.grid_thw,
        mm_token_type_ids=(input_ids == policy.image_token_id).int(),
    ).logits[0]
    start = len(question.input_ids) - 1
    return logits[start : start + len(response)]


def plain_logprobs(
    policy: Policy, question: EncodedPrompt, response: list[int], temperature: float
) -> Tensor:
    logits = plain_logits(policy, question, response)
    table = next_token_logprobs(
        logits, torch.tensor(policy.blocked_token_ids), temperature
    )
    return table.gather(1, torch.tensor(response)[:, None])[:, 0]


def objective_by_loops(
    new: torch.Tensor,
    old: torch.Tensor,
    ref: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    *,
    clip_low: float,
    clip_high: float,
    kl_coef: float,
    token_level: bool,
) -> tuple[float, float]:
    """Equations 2, 3 and 4 written out token by token: objective and KL."""
    totals = []
    questions, group, length = new.shape
    for kind in ("objective", "kl"):
        by_question = []
        for q in range(questions):
            responses = []
            for i in range(group):
                values = []
                for t in range(length):
                    if not mask[q, i, t]:
                        continue
                    ratio = math.exp(new[q, i, t] - old[q, i, t])
                    a = float(advantages[q, i])
                    clipped = min(max(ratio, 1 - clip_low), 1 + clip_high)
                    x = math.exp(ref[q, i, t] - new[q, i, t])
                    kl = x - math.log(x) - 1
                    surrogate = min(ratio * a, clipped * a)
                    values.append(kl if kind == "kl" else surrogate - kl_coef * kl)
                responses.append(values)
            if token_level:
                tokens = sum(len(values) for values in responses)
                by_question.append(sum(map(sum, responses)) / max(tokens, 1))
            else:
                means = [sum(values) / len(values) if values else 0.0 for values in responses]
                by_question.append(sum(means) / group)
        totals.append(sum(by_question) / questions)
    return totals[0], totals[1]
