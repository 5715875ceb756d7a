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
from samr1.method.advantage import group_advantages
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
    """Sample a group for each question; draws are keyed by (seed, step, sample, response)."""
    with engine.gathered_parameters(), torch.no_grad():
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


def advantages_of(judged: Sequence[Sequence[ScoredResponse]]) -> Tensor:
    """The advantages [Q, G] float32 of the groups' total rewards (equation 1)."""
    rewards = [[response.parts.total for response in group] for group in judged]
    return group_advantages(torch.tensor(rewards, dtype=torch.float32))


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
    """The questions of one forward and backward pass and their share of the step's questions."""

    rows: list[int]
    share: float


def plan_passes(
    engine: Engine, rollout: Rollout, questions_in_step: int, counts: bool, stage: TrainStage
) -> list[_Pass]:
    """The passes of one update, as many on every process (collectives need all to take part).

    Where `counts` is false this process only keeps the others company, with weight 0.
    """
    split = list(split_passes(rollout.questions, rollout.responses, stage.train.tokens_per_pass))
    passes = [_Pass(rows, len(rows) / questions_in_step if counts else 0.0) for rows in split]
    longest = max(engine.gather([len(passes)]))
    return passes + [_Pass(split[-1], 0.0)] * (longest - len(passes))


def update(
    engine: Engine,
    rollout: Rollout,
    reference: Tensor,
    advantages: Tensor,
    passes: Sequence[_Pass],
    learning_rates: Sequence[float],
    step: int,
    stage: TrainStage,
) -> tuple[list[UpdateRecord], list[float]]:
    """Take one optimiser step for each of `learning_rates` on the same rollout.

    The old log-probabilities are the first update's own. Returns the records of all passes and the
    gradient norm of each update. Raises UserError where a loss or norm is not finite, or where, in
    the first step, the trainer's log-probabilities are not the rollout's.
    """
    records: list[UpdateRecord] = []
    norms: list[float] = []
    old: list[Tensor] = []
    for number, rate in enumerate(learning_rates):
        for index, part in enumerate(passes):
            questions = [rollout.questions[row] for row in part.rows]
            groups = [rollout.groups[row] for row in part.rows]
            features = rollout.image_features
            scored = engine.score(
                questions,
                [group.responses for group in groups],
                features and [features[row] for row in part.rows],
            )
            agreement = None
            if number == 0:
                old.append(scored.logprobs.detach())
                agreement = _agreement(scored, groups)
            record, loss = _take_pass(
                scored, old[index], reference, advantages, part, agreement, stage
            )
            if not torch.isfinite(loss):
                raise UserError(
                    f"step {step}, update {number + 1}: the loss is {loss.item()}; train with a "
                    f"lower train.learning_rate than {stage.train.learning_rate:g}."
                )
            engine.backward(loss * engine.processes)
            records.append(record)
        if step == 0 and number == 0:
            found = Agreement.together(one.agreement for one in records if one.agreement)
            check_agreement(found, stage.policy.dtype, says=engine.rank == 0)
        norm = engine.step(rate)
        # DeepSpeed calls a norm that is no number -1.
        if not 0 <= norm < math.inf:
            raise UserError(
                f"step {step}, update {number + 1}: the gradient's norm is no number; train with a "
                f"lower train.learning_rate than {stage.train.learning_rate:g}."
            )
        norms.append(norm)
    return records, norms


def _take_pass(
    scored: ResponseLogprobs,
    old: Tensor,
    reference: Tensor,
    advantages: Tensor,
    part: _Pass,
    agreement: Agreement | None,
    stage: TrainStage,
) -> tuple[UpdateRecord, Tensor]:
    """The loss of one pass, weighed by its share, and what was measured on the way."""
    config = stage.train
    new, mask = scored.logprobs, scored.mask
    terms = policy_objective(
        new,
        old,
        reference[part.rows, :, : new.shape[2]],
        advantages[part.rows].to(new.device),
        mask,
        clip_low=config.clip_low,
        clip_high=config.clip_high,
        kl_coef=config.kl_coef,
        token_level=config.token_level,
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
        agreement=agreement,
    )
    return record, -terms.objective * part.share


def _agreement(scored: ResponseLogprobs, groups: Sequence[Group]) -> Agreement:
    """How near the trainer's log-probabilities are to those that the rollout kept."""
    sampled = torch.cat([row for group in groups for row in group.logprobs])
    return Agreement.of(scored.logprobs.detach()[scored.mask].cpu(), sampled)
