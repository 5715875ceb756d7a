"""How a run is trained: the keys of `train`, what each may be, and which go together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from samr1.config.base import Frozen, NonNegative, Positive, refusal
from samr1.config.lora import LoraConfig
from samr1.config.names import Advantage, Clip, Normaliser, RatioLevel


def _one_distribution(value: float) -> float:
    # Log-probabilities are taken under the whole distribution; a truncated rollout means another.
    if value != 1.0:
        raise ValueError("must be 1: rollout and log-probabilities must mean one distribution")
    return value


class FilterGroups(Frozen):
    """Dynamic sampling, as DAPO has it: a question whose responses get one reward is replaced.

    Such a group teaches nothing. Another takes its place, of the training's samples one that the
    step has not drawn; what agrees at the bound stays.
    """

    max_num_gen_batches: Annotated[int, Field(ge=2)]
    """Times that a step samples at most, the first among them (verl's name)."""


class TrainConfig(Frozen):
    samples: Positive | None
    """Objects that the scale draws to train on, one question about each; null is every question of
    all, which a run with `data` of its own draws where it says no number, and no other run can."""
    samples_factor: Annotated[float, Field(gt=0)] = 1.0
    """Times as many are drawn for this run; a smaller draw is the beginning of a larger one."""
    steps: Positive | None
    """Rollout steps; null is one pass over the training samples."""
    group_size: Annotated[int, Field(ge=2)]
    """Responses to one question (G)."""
    questions_per_step: Positive
    """Questions of one rollout step, over all processes."""
    updates_per_rollout: Positive
    """Times that a rollout's questions are trained on (TRL's num_iterations, verl's ppo_epochs)."""
    questions_per_update: Positive | None = None
    """Questions of one optimiser step (verl's ppo_mini_batch_size), in the order of the draw; null
    is all of the rollout step. Null and updates_per_rollout: 1 let no clip bound act."""
    filter_groups: FilterGroups | None = None
    """Replace questions whose group agrees in reward by others; null trains on all."""
    learning_rate: Annotated[float, Field(gt=0)]
    """AdamW's peak learning rate."""
    weight_decay: Annotated[float, Field(ge=0)]
    """AdamW's weight decay."""
    max_grad_norm: Annotated[float, Field(gt=0)]
    """Gradients are scaled down to this norm."""
    schedule: Literal["linear", "constant"]
    """Learning rate after the warm-up: falling to 0 in a line, or constant."""
    warmup_steps: NonNegative
    """Rollout steps in which the learning rate rises from 0 in a line."""
    clip_low: Annotated[float, Field(gt=0, lt=1)]
    """ε_low: the ratio is clipped below at 1 − ε_low."""
    clip_high: Annotated[float, Field(gt=0)]
    """ε_high: the ratio is clipped above at 1 + ε_high."""
    kl_coef: Annotated[float, Field(ge=0)]
    """β, the weight of the KL term; 0 trains without it."""
    normaliser: Normaliser
    """A group's tokens together (equation 4), each response's (equation 2), or as many as the
    longest responses could have (Dr. GRPO)."""
    advantage: Advantage = "group"
    """Rewards less their group's mean, in its deviations (equation 1) or undivided (Dr. GRPO)."""
    ratio: RatioLevel = "token"
    """How policy is held against rollout: token by token, or by a response's geometric mean
    (GSPO)."""
    clip: Clip = "ppo"
    """What bounds the ratio: PPO's clip; CISPO's, which bounds the weight of log π and leaves every
    token its gradient; or SAPO's soft gate, which has no bounds."""
    temperature: Annotated[float, Field(gt=0)]
    """Divides the logits, in sampling and in the log-probabilities alike."""
    top_p: Annotated[float, AfterValidator(_one_distribution)]
    """Nucleus sampling; only 1 (off) is possible."""
    max_response_tokens: Positive
    """Longest response in tokens, the end-of-turn token included."""
    tokens_per_pass: Positive
    """Packed tokens in one forward and backward pass: a limit of memory, not of the method."""
    gradient_checkpointing: bool
    """Compute each layer's activations again in the backward pass instead of keeping them."""
    zero_stage: Literal[0, 1, 2, 3]
    """DeepSpeed's ZeRO stage."""
    offload_optimizer: bool = False
    """Keep AdamW's masters and moments in the host's memory and step there; with ZeRO 1 to 3."""
    lora: LoraConfig | None = None
    """Train adapters of low rank (LoRA) and leave the weights as they are; null trains these."""
    checkpoint_steps: Positive
    """How many steps lie between two checkpoints; after the last there always is one."""

    @property
    def updates_per_epoch(self) -> int:
        """Optimiser steps in which all questions of a whole rollout step are trained on once."""
        return self.questions_per_step // (self.questions_per_update or self.questions_per_step)

    @property
    def drawn_samples(self) -> int | None:
        """How many training questions the run draws: at least one; None is all that there are."""
        if self.samples is None:
            return None
        return max(1, round(self.samples * self.samples_factor))

    def count_steps(self, samples: int) -> int:
        """The steps on `samples`: as configured, or one epoch, its last short batch included."""
        return self.steps or -(-samples // self.questions_per_step)

    @model_validator(mode="after")
    def _a_factor_is_of_a_number(self) -> TrainConfig:
        if self.samples is None and self.samples_factor != 1:
            allowed = "must be left out where train.samples is null, which draws all; give a number"
            raise refusal("samples_factor", self.samples_factor, allowed)
        return self

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> TrainConfig:
        # CISPO's bounds are of a weight: its authors set none below, which is a clip_low near 1.
        if self.clip == "ppo" and self.clip_high < self.clip_low:
            raise refusal("clip_high", self.clip_high, f"must be >= clip_low ({self.clip_low:g})")
        return self

    @model_validator(mode="after")
    def _ratios_of_sequences_are_gspos(self) -> TrainConfig:
        if self.ratio == "sequence":
            for key, value, only in (
                ("clip", self.clip, "ppo"),
                ("normaliser", self.normaliser, "response"),
            ):
                if value != only:
                    raise refusal(key, value, f"must be {only} with ratio: sequence (GSPO)")
        return self

    @model_validator(mode="after")
    def _updates_are_of_one_size(self) -> TrainConfig:
        size, whole = self.questions_per_update, self.questions_per_step
        if size is not None and whole % size:
            raise refusal("questions_per_update", size, f"must divide questions_per_step ({whole})")
        return self

    @model_validator(mode="after")
    def _offloading_needs_zero(self) -> TrainConfig:
        if self.offload_optimizer and not self.zero_stage:
            raise refusal("offload_optimizer", True, "must be false with zero_stage 0; use 1 to 3")
        return self
