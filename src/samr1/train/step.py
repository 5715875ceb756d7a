"""One training step as functions: roll out, take advantages, score the reference, update.

Each stands alone over data classes, and a field never changes its meaning on the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from samr1.config.schema import TrainStage
from samr1.core.errors import UserError
from samr1.method.advantage import take_advantages
from samr1.method.objective import policy_objective
from samr1.policy.adapter import adapter_off
from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.inputs import encode_images
from samr1.rollout.logprobs import ResponseLogprobs, response_logprobs_in_passes
from samr1.rollout.packing import split_passes
from samr1.rollout.sample import Group, sample_groups
from samr1.train.agreement import Agreement, check_agreement
from samr1.train.batches import Sample
from samr1.train.engine import Engine
from samr1.train.metrics import UpdateRecord
from samr1.train.reward import ScoredResponse


@dataclass(frozen=True)
class Rollout:
    """The questions of one process in one step, with their sampled groups.

    `texts` [Q][G] are the responses as text, special tokens left out. `image_features` are those of
    the questions where the vision tower is frozen, without adapters too, and they stay true for
    every update and the reference; else None.
    """

    questions: list[EncodedPrompt]
    groups: list[Group]
    texts: list[list[str]]
    image_features: list[Tensor] | None

    @property
    def responses(self) -> list[list[list[int]]]:
        """The token ids [Q][G][T_i]."""
        return [group.responses for group in self.groups]


def roll_out(
    policy: Policy,
    engine: Engine,
    samples: Sequence[Sample],
    questions: list[EncodedPrompt],
    step: int,
    stage: TrainStage,
) -> Rollout:
    """Sample a group for each question; draws are keyed by (seed, step, sample, response).

    All processes take part, one without questions too.
    """
    with engine.gathered_parameters(), torch.no_grad():
        if not questions:
            return Rollout([], [], [], [])
        features = encode_images(policy.model, questions)
        groups = sample_groups(
            policy,
            questions,
            group_size=stage.train.group_size,
            temperature=stage.train.temperature,
            top_p=stage.train.top_p,
            max_new_tokens=stage.train.max_response_tokens,
            keys=[(stage.seed, step, sample.index) for sample in samples],
            image_features=features,
        )
    texts = [
        policy.tokenizer.batch_decode(group.responses, skip_special_tokens=True) for group in groups
    ]
    return Rollout(questions, groups, texts, None if stage.policy.train_vision else features)


def advantages_of(scored: Sequence[Sequence[ScoredResponse]], stage: TrainStage) -> Tensor:
    """The advantages [Q, G] float32 of the groups' total rewards (equation 1)."""
    rewards = [[response.parts.total for response in group] for group in scored]
    return take_advantages(torch.tensor(rewards, dtype=torch.float32), stage.train.advantage)


def score_reference(
    reference: Policy, engine: Engine, rollout: Rollout, stage: TrainStage
) -> Tensor:
    """The reference's log-probabilities [Q, G, T] of the responses, once a step.

    With adapters `reference` is the policy itself, and they are switched off meanwhile.
    """
    whole = engine.gathered_parameters() if stage.train.lora else nullcontext()
    with whole, adapter_off(reference.model):
        return response_logprobs_in_passes(
            reference.model,
            rollout.questions,
            rollout.responses,
            temperature=stage.train.temperature,
            blocked_token_ids=reference.blocked_token_ids,
            tokens_per_pass=stage.train.tokens_per_pass,
            image_features=rollout.image_features,
        )


@dataclass(frozen=True)
class _Pass:
    """The questions of one forward and backward pass and their share of the update's questions."""

    rows: list[int]
    share: float


Update = list[_Pass]


def plan_updates(
    engine: Engine, rollout: Rollout, questions_in_step: int, is_padding: bool, stage: TrainStage
) -> list[Update]:
    """The updates of one epoch over the rollout, each as its passes on this process.

    The step's questions are cut, in the order in which they were drawn, into updates of
    `train.questions_per_update`; null is one of all. A process has each `processes`-th question.
    An update has as many passes on every process (collectives need all to take part): one that has
    none of its questions, or none of the step's (`is_padding`), keeps company with weight 0.
    """
    size = stage.train.questions_per_update or questions_in_step
    places = () if is_padding else range(engine.rank, questions_in_step, engine.processes)
    updates = []
    for start in range(0, questions_in_step, size):
        here = range(start, min(start + size, questions_in_step))
        rows = [row for row, place in enumerate(places) if place in here]
        split = _split(rollout, rows or [0], stage.train.tokens_per_pass)
        updates.append([_Pass(part, len(part) / len(here) if rows else 0.0) for part in split])
    numbers = engine.gather([[len(update) for update in updates]])
    return [
        update + [_Pass(update[-1].rows, 0.0)] * (max(found) - len(update))
        for update, found in zip(updates, zip(*numbers, strict=True), strict=True)
    ]


def _split(rollout: Rollout, rows: Sequence[int], tokens_per_pass: int) -> list[list[int]]:
    """The `rows` of the rollout in passes."""
    questions = [rollout.questions[row] for row in rows]
    responses = [rollout.groups[row].responses for row in rows]
    split = split_passes(questions, responses, tokens_per_pass)
    return [[rows[index] for index in part] for part in split]


@dataclass(frozen=True)
class _Old:
    """What the policy that sampled them gives the responses of a pass: [Q, G, T], no gradient.

    Its agreement with the rollout is None where the pass only keeps others company.
    """

    logprobs: Tensor
    agreement: Agreement | None

    @classmethod
    def of(cls, scored: ResponseLogprobs, part: _Pass, rollout: Rollout) -> _Old:
        logprobs = scored.logprobs.detach()
        if not part.share:
            return cls(logprobs, None)
        sampled = [row for index in part.rows for row in rollout.groups[index].logprobs]
        agreement = Agreement.of(logprobs[scored.mask].cpu(), torch.cat(sampled))
        return cls(logprobs, agreement)


def score_later(engine: Engine, rollout: Rollout, updates: Sequence[Update]) -> list[list[_Old]]:
    """The old log-probabilities of all updates but the first, taken before any weight moves.

    Those of the first are its own forward pass's, detached: exact and free. The later ones cost one
    forward pass, in the same passes as the updates', so that both round alike.
    """
    if len(updates) == 1:
        return []
    with engine.gathered_parameters():
        return [
            [_Old.of(engine.score_still(*_inputs(rollout, part)), part, rollout) for part in passes]
            for passes in updates[1:]
        ]


def _inputs(
    rollout: Rollout, part: _Pass
) -> tuple[list[EncodedPrompt], list[list[list[int]]], list[Tensor] | None]:
    features = rollout.image_features
    return (
        [rollout.questions[row] for row in part.rows],
        [rollout.groups[row].responses for row in part.rows],
        features and [features[row] for row in part.rows],
    )


def update(
    engine: Engine,
    rollout: Rollout,
    reference: Tensor,
    advantages: Tensor,
    updates: Sequence[Update],
    learning_rate: float,
    step: int,
    stage: TrainStage,
) -> tuple[list[UpdateRecord], list[float]]:
    """Take one optimiser step for each of `updates`, and all of them again in every epoch.

    Returns the records of all passes and the gradient norm of each optimiser step. Raises UserError
    where a loss or norm is not finite, or where, in the first step, the trainer's log-probabilities
    are not the rollout's.
    """
    records: list[UpdateRecord] = []
    norms: list[float] = []
    old: list[list[_Old]] = [[], *score_later(engine, rollout, updates)]
    for number in range(stage.train.updates_per_rollout * len(updates)):
        where = f"step {step}, update {number + 1}"
        place = number % len(updates)
        for index, part in enumerate(updates[place]):
            scored = engine.score(*_inputs(rollout, part))
            if number == 0:
                old[0].append(_Old.of(scored, part, rollout))
            record, loss = _take_pass(
                scored, old[place][index], reference, advantages, part, number == place, stage
            )
            if not torch.isfinite(loss):
                raise UserError(
                    f"{where}: the loss is {loss.item()}; train with a lower train.learning_rate "
                    f"than {stage.train.learning_rate:g}."
                )
            engine.backward(loss * engine.processes)
            records.append(record)
        if step == 0 and number == 0:
            own = [one.agreement for passes in old for one in passes if one.agreement]
            found = Agreement.together(engine.gather(own))
            check_agreement(found, stage.policy.dtype, says=engine.rank == 0)
        norm = engine.step(learning_rate)
        # DeepSpeed calls a norm that is no number -1.
        if not 0 <= norm < math.inf:
            raise UserError(
                f"{where}: the gradient's norm is no number; train with a lower "
                f"train.learning_rate than {stage.train.learning_rate:g}."
            )
        norms.append(norm)
    return records, norms


def _take_pass(
    scored: ResponseLogprobs,
    old: _Old,
    reference: Tensor,
    advantages: Tensor,
    part: _Pass,
    first: bool,
    stage: TrainStage,
) -> tuple[UpdateRecord, Tensor]:
    """The loss of one pass, weighed by its share, and what was measured on the way."""
    config = stage.train
    new, mask = scored.logprobs, scored.mask
    terms = policy_objective(
        new,
        old.logprobs,
        reference[part.rows, :, : new.shape[2]],
        advantages[part.rows].to(new.device),
        mask,
        clip_low=config.clip_low,
        clip_high=config.clip_high,
        kl_coef=config.kl_coef,
        normaliser=config.normaliser,
        ratio=config.ratio,
        clip=config.clip,
        longest=config.max_response_tokens,
    )
    tokens = int(terms.tokens)
    record = UpdateRecord(
        share=part.share,
        tokens=tokens if part.share else 0,
        loss=-terms.objective.item(),
        kl=terms.kl.item(),
        clip_fraction_low=terms.clip_fraction_low.item(),
        clip_fraction_high=terms.clip_fraction_high.item(),
        ratio_mean=terms.ratio_mean.item(),
        ratio_min=terms.ratio_min.item(),
        ratio_max=terms.ratio_max.item(),
        entropy=scored.entropies.sum().item() / max(tokens, 1),
        agreement=old.agreement if first else None,
    )
    return record, -terms.objective * part.share
