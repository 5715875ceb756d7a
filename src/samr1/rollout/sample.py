"""Sampling a group of responses for each question.

The image is encoded and the prompt run once a question, whose group then starts from it. Randomness
is keyed: a response's draws depend on its own key alone, neither on the batch that it is in nor on
how long its neighbours are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.decode import Sampling
from samr1.rollout.distribution import Key
from samr1.rollout.inputs import encode_images
from samr1.rollout.rows import Finished, Rows
from samr1.rollout.runners import Runner


@dataclass(frozen=True)
class Group:
    """The sampled responses of one question.

    `responses` G lists of token ids, the stop token included; `logprobs` G tensors [T_i] float32
    on the CPU, of the distribution that was sampled from (before top-p); `truncated` G flags, true
    where the length limit cut a response short.
    """

    responses: list[list[int]]
    logprobs: list[Tensor]
    truncated: list[bool]


@torch.no_grad()
def sample_groups(
    policy: Policy,
    questions: Sequence[EncodedPrompt],
    *,
    group_size: int,
    temperature: float,
    top_p: float = 1.0,
    max_new_tokens: int,
    keys: Sequence[Key] | None = None,
    image_features: Sequence[Tensor] | None = None,
    runner: type[Runner] | None = None,
) -> list[Group]:
    """Sample `group_size` responses for each question, all of them in flight from the start.

    `temperature` 0 is greedy and needs no `keys`; otherwise `keys` has one key a question, say
    (seed, step, sample), and response i draws from the key (*key, i). `image_features` are those of
    `encode_images`, where they are known already. `runner` is the device's own.
    """
    drawn = None
    if temperature > 0:
        if keys is None or len(keys) != len(questions):
            raise ValueError("sampling needs one key a question")
        drawn = [[(*key, i) for i in range(group_size)] for key in keys]
    if image_features is None:
        image_features = encode_images(policy.model, questions)
    rows = Rows(
        policy,
        len(questions) * group_size,
        max(len(question.input_ids) for question in questions),
        Sampling(temperature, top_p, max_new_tokens),
        runner,
    )
    owners = [[(q, g) for g in range(group_size)] for q in range(len(questions))]
    rows.fill(questions, image_features, owners, drawn)
    found: dict[tuple[int, int], Finished] = {}
    while rows.busy:
        found |= {response.owner: response for response in rows.advance()}
    return [_group([found[owner] for owner in group]) for group in owners]


def _group(responses: Sequence[Finished]) -> Group:
    return Group(
        [response.tokens for response in responses],
        [response.logprobs for response in responses],
        [response.truncated for response in responses],
    )
