"""Plain, slow twins of what is optimised: one response, one token at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from tiny import tiny_policy
from torch import Tensor
from transformers import DynamicCache

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
        mm_token_type_ids=(input_ids == policy.model.config.image_token_id).int(),
    ).logits[0]
    start = len(question.input_ids) - 1
    return logits[start : start + len(response)]


def plain_logprobs(
    policy: Policy, question: EncodedPrompt, response: list[int], temperature: float
) -> Tensor:
    logits = plain_logits(policy, question, response)
    table = next_token_logprobs(logits, torch.tensor(policy.blocked_token_ids), temperature)
    return table.gather(1, torch.tensor(response)[:, None])[:, 0]


def generate_greedily(policy: Policy, question: EncodedPrompt, max_new_tokens: int) -> list[int]:
    """The response that `transformers` alone generates, its stop token included."""
    ids = question.input_ids[None]
    output = policy.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=(ids == policy.model.config.image_token_id).int(),
        pixel_values=question.pixel_values,
        image_grid_thw=question.grid_thw,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=policy.stop_token_id,
        suppress_tokens=list(policy.blocked_token_ids),
    )
    return list(output[0, ids.shape[1] :].tolist())


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
    normaliser: str,
    ratio: str = "token",
    clip: str = "ppo",
    longest: int = 0,
) -> tuple[float, float]:
    """Equations 2, 3 and 4 written out token by token, and their variants: objective and KL."""
    totals = []
    questions, group, length = new.shape
    for kind in ("objective", "kl"):
        by_question = []
        for q in range(questions):
            responses = []
            for i in range(group):
                values = []
                response = [t for t in range(length) if mask[q, i, t]]
                for t in response:
                    counted = [t] if ratio == "token" else response
                    moved = [float(new[q, i, k] - old[q, i, k]) for k in counted]
                    rho = math.exp(sum(moved) / len(moved))
                    a = float(advantages[q, i])
                    clipped = min(max(rho, 1 - clip_low), 1 + clip_high)
                    tau = 1.0 if a > 0 else 1.05
                    surrogate = {
                        "ppo": min(rho * a, clipped * a),
                        "cispo": clipped * a * float(new[q, i, t]),
                        "sapo": a * 4 / tau / (1 + math.exp(-tau * (rho - 1))),
                    }[clip]
                    x = math.exp(ref[q, i, t] - new[q, i, t])
                    kl = x - math.log(x) - 1
                    values.append(kl if kind == "kl" else surrogate - kl_coef * kl)
                responses.append(values)
            if normaliser == "group":
                tokens = sum(len(values) for values in responses)
                by_question.append(sum(map(sum, responses)) / max(tokens, 1))
            elif normaliser == "constant":
                by_question.append(sum(map(sum, responses)) / (group * longest))
            else:
                means = [sum(values) / len(values) if values else 0.0 for values in responses]
                by_question.append(sum(means) / group)
        totals.append(sum(by_question) / questions)
    return totals[0], totals[1]


def plain_sample(
    policy: Policy,
    question: EncodedPrompt,
    draws: Sequence[float] | None,
    temperature: float,
    max_new_tokens: int,
) -> tuple[list[int], list[float]]:
    """The twin of a rollout: one response by itself, with the cache of `transformers`.

    `draws` has a number in [0, 1) for each token, None is greedy. The tokens and their
    log-probabilities.
    """
    ids, start = question.input_ids[None], len(question.input_ids)
    image = {"pixel_values": question.pixel_values, "image_grid_thw": question.grid_thw}
    is_image = (ids == policy.model.config.image_token_id).int()
    cache = DynamicCache(config=policy.model.model.language_model.config)
    position = question.position_ids[:, None]
    tokens: list[int] = []
    logprobs: list[float] = []
    while len(tokens) < max_new_tokens and policy.stop_token_id not in tokens:
        with torch.no_grad():
            logits = policy.model(
                input_ids=ids,
                position_ids=position,
                mm_token_type_ids=is_image,
                attention_mask=torch.ones(1, start + len(tokens), dtype=torch.int64),
                past_key_values=cache,
                **image,
            ).logits[0, -1]
        blocked = torch.tensor(policy.blocked_token_ids)
        table = next_token_logprobs(logits, blocked, temperature)
        token = int(table.argmax())
        if draws is not None:
            heights = np.cumsum(table.double().exp().numpy())
            token = int(np.searchsorted(heights, draws[len(tokens)] * heights[-1], side="right"))
        position = torch.full((3, 1, 1), question.response_start + len(tokens))
        tokens.append(token)
        logprobs.append(float(table[token]))
        ids, is_image, image = torch.tensor([[token]]), torch.zeros(1, 1, dtype=torch.int), {}
    return tokens, logprobs


def early_stopper(family: str = "qwen2_5_vl") -> Policy:
    """A policy that often ends its turn, so that rows are done at different times."""
    policy = tiny_policy(seed={"qwen2_5_vl": 3, "qwen3_vl": 1}[family], family=family)
    with torch.no_grad():
        rows = policy.model.lm_head.weight
        rows[policy.stop_token_id] += 0.5 * torch.randn(
            rows.shape[1], generator=torch.Generator().manual_seed(7)
        )
    return policy
