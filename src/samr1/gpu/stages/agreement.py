"""Decoding against the packed pass in bfloat16, and a response against other neighbours.

The policy has its published widths and depth. One of the tokens that it says is taken for the end
of the turn, so that rows end at different times.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from samr1.gpu.findings import Findings, at_most, found, holds
from samr1.gpu.models import draw_questions, of_few_tokens, random_policy
from samr1.gpu.setting import Setting, train_stage
from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.logprobs import response_logprobs
from samr1.rollout.runners import Captured, Eager
from samr1.rollout.sample import Group, sample_groups
from samr1.train.agreement import Agreement

K3, SIGNED = 1e-3, 5e-3
_ENTROPY = (0.5, 1.0)  # nats a token: what is looked at is of such a policy


class Launched(Eager):
    """Kernel by kernel what is captured: as many rows and places, by which kernels are chosen."""

    together = Captured.together
    grain = Captured.grain
    compacts = Captured.compacts


def look(setting: Setting) -> Findings:
    """Log-probabilities of both passes; then the same keys among others, and kernel by kernel."""
    policy = of_few_tokens(random_policy(setting.policy, setting.device, setting.attention))
    words = setting.prompt_words
    # The last two are of one length, so that either beside the first makes the same shapes.
    first, second, other = draw_questions(
        policy, setting.image_size, [words, words - words // 3, words - words // 3]
    )
    sample = partial(_sample, setting)
    policy = replace(policy, stop_token_id=_common(sample(policy, [first, second])))
    groups = sample(policy, [first, second])
    yield from _agreement(setting, policy, [first, second], groups)
    beside = sample(policy, [first, other])
    yield holds(
        "agreement.neighbours",
        "a group beside another question: the same tokens and log-probabilities",
        _same(groups[0], beside[0]),
    )
    turned = sample(policy, [second, first], keys=[1, 0])
    yield found(
        "agreement.order",
        "a group in other rows: the same tokens and log-probabilities",
        _same(groups[0], turned[1]),
    )
    launched = sample(policy, [first, second], runner=Launched) if setting.cuda else None
    yield holds(
        "agreement.captured",
        "captured and launched kernel by kernel: the same tokens and log-probabilities",
        None if launched is None else all(map(_same, groups, launched)),
    )


def _sample(
    setting: Setting,
    policy: Policy,
    questions: list[EncodedPrompt],
    keys: tuple[int, ...] | list[int] = (0, 1),
    runner: type[Eager] | None = None,
) -> list[Group]:
    return sample_groups(
        policy,
        questions,
        group_size=setting.group_size,
        temperature=1.0,
        max_new_tokens=setting.tokens,
        keys=[(key,) for key in keys],
        runner=runner,
    )


def _common(groups: list[Group]) -> int:
    """The token at whose first place the responses end that keep nearest to three quarters."""
    responses = [response for group in groups for response in group.responses]
    whole = sum(map(len, responses))

    def kept(token: int) -> int:
        return sum(
            response.index(token) + 1 if token in response else len(response)
            for response in responses
        )

    said = sorted({token for response in responses for token in response})
    return min(said, key=lambda token: abs(kept(token) - 0.75 * whole))


def _same(one: Group, two: Group) -> bool:
    return one.responses == two.responses and all(map(torch.equal, one.logprobs, two.logprobs))


def _agreement(
    setting: Setting, policy: Policy, questions: list[EncodedPrompt], groups: list[Group]
) -> Findings:
    temperature = train_stage(setting, setting.tokens).train.temperature
    with torch.no_grad():
        scored = response_logprobs(
            policy.model,
            questions,
            [group.responses for group in groups],
            temperature=temperature,
            blocked_token_ids=policy.blocked_token_ids,
        )
    sampled = torch.cat([row for group in groups for row in group.logprobs])
    agreement = Agreement.of(scored.logprobs[scored.mask].cpu(), sampled)
    means = agreement.means()
    entropy = float(scored.entropies[scored.mask].mean())
    lengths = sorted(len(row) for group in groups for row in group.responses)
    note = f"{agreement.tokens:,} tokens in responses of {lengths[0]} to {lengths[-1]}"
    low, high = _ENTROPY
    yield found("agreement.entropy", "entropy", entropy, "nats", f"{low:g} to {high:g} is meant")
    yield at_most("agreement.k3", "k3 estimate", means["gap_k3"], K3, "nats", note)
    signed = means["gap_signed"]
    yield at_most("agreement.signed", "|signed mean|", abs(signed), SIGNED, "nats", f"{signed:.2g}")
    yield found("agreement.mean", "mean |difference|", means["gap_mean"], "nats")
    yield found("agreement.largest", "largest |difference|", agreement.largest, "nats")
