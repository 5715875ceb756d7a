"""The one schema of the configuration: frozen, documented, and refusing what cannot mean anything.

A scale file's `defaults`, with a run's sparse overrides on top, make one `RunConfig`
(`samr1.config.merge`). Each stage gets only its own slice as a file, so that a change in the
evaluation never retrains.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from samr1.config.base import Frozen, Name, NonNegative, Positive, Seed, check_word, refusal
from samr1.config.errors import explain, find_unlike, read_mapping, show
from samr1.config.lora import LoraConfig, check_targets
from samr1.config.names import (
    POINT_VALUES,
    Advantage,
    Clip,
    DialectName,
    MaskReward,
    Normaliser,
    PackedAttention,
    RatioLevel,
)
from samr1.core.errors import UserError
from samr1.core.hub import ModelPath


class PolicyConfig(Frozen):
    path: ModelPath
    """Folder of the base policy (relative to the repository), or `owner/name@commit` on the hub."""
    image_size: Positive
    """Side in pixels of the square image that the policy sees."""
    dtype: Literal["float32", "bfloat16"]
    """Number format of the weights in the forward pass."""
    train_vision: bool
    """Whether the vision tower is trained with the rest; with `train.lora`, by adapters too."""
    attention: PackedAttention = "flex"
    """How a GPU attends a prompt with all its responses: FlexAttention, which needs a C compiler,
    or two calls of torch's own, as a CPU always does."""


class SegmenterConfig(Frozen):
    path: ModelPath
    """Folder with config.yaml and model.safetensors, one of Meta's .pt files, or its hub name."""
    image_size: Positive
    """Side in pixels of the segmenter's square input; it reads the original image."""
    tf32: bool = False
    """Let a GPU round the factors of the segmenter's products to ten bits, several times as fast;
    only beside a policy in bfloat16, whose own products that leaves as they are. A Grounding DINO
    beside it rounds too."""


class RewardConfig(Frozen):
    segmentation: MaskReward
    """Equation 5's tiers; 4 above one fixed threshold; 4 times the IoU; or 4 times its rank, in
    tenths, among the training's last 2,048 (Dr. Seg)."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The fixed threshold on the IoU; given with `segmentation: fixed` and only then."""
    negative_points: Literal["none", "any", "inside"]
    """+1 when both point values occur; `inside`: and all points lie in the answer's own box."""

    @model_validator(mode="after")
    def _threshold_goes_with_fixed(self) -> RewardConfig:
        if self.segmentation == "fixed" and self.threshold is None:
            raise refusal("threshold", None, "must be given (0 < threshold < 1) with fixed rewards")
        if self.segmentation != "fixed" and self.threshold is not None:
            allowed = f"must be left out with {self.segmentation} rewards"
            raise refusal("threshold", self.threshold, allowed)
        return self


def _one_distribution(value: float) -> float:
    # Log-probabilities are taken under the whole distribution; a truncated rollout means another.
    if value != 1.0:
        raise ValueError("must be 1: rollout and log-probabilities must mean one distribution")
    return value


class FilterGroups(Frozen):
    """Dynamic sampling, as DAPO has it: questions whose responses get one reward are drawn again.

    Such a group teaches nothing. Others take its place, which the step has not drawn; what agrees
    at the bound stays.
    """

    max_num_gen_batches: Annotated[int, Field(ge=2)]
    """Times that a step samples at most, the first among them (verl's name)."""


class TrainConfig(Frozen):
    samples: Positive | None
    """Training questions that the scale draws, one sentence of each; null is all of them, which a
    run with `data` of its own draws where it says no number itself, and no other run can."""
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
    """Draw questions again whose group agrees in reward; null trains on all."""
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
    """Of policy to rollout: each token's, or its response's geometric mean (GSPO)."""
    clip: Clip = "ppo"
    """What bounds the ratio: PPO's clip; CISPO's, which bounds the weight of log π and leaves every
    token its gradient; or SAPO's soft gate, which has no bounds."""
    temperature: Annotated[float, Field(gt=0)]
    """Of the sampling and of the log-probabilities alike."""
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
    """Steps from one checkpoint to the next; after the last there always is one."""

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

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> TrainConfig:
        if self.clip_high < self.clip_low:
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


class PredictConfig(Frozen):
    batch_size: Positive
    """Samples in decoding at once; one that has ended makes room for the next."""
    max_response_tokens: Positive
    """Longest response in tokens."""


class ScoreStage(Frozen):
    bootstrap_resamples: Positive
    """Resamples of the bootstrap over images."""
    bootstrap_seed: NonNegative
    """Its seed."""


class EvaluationConfig(PredictConfig, ScoreStage):
    """How a run is evaluated: its prediction (greedy) and its scoring."""


class TrainStage(Frozen):
    """What `train_policy` reads, and nothing more."""

    name: Name
    """The run's."""
    seed: Seed
    """Of the sampling and of the order of the questions."""
    dialect: DialectName
    """The prompt's template and the answer's grammar (`src/samr1/policy/dialects/`)."""
    threads: Positive
    """Torch threads of each process of a job; they change last digits, so they belong to a run."""
    policy: PolicyConfig
    segmenter: SegmenterConfig
    reward: RewardConfig
    train: TrainConfig

    @model_validator(mode="after")
    def _rounding_is_the_segmenters_alone(self) -> TrainStage:
        # torch knows one switch for the process, and the two models work at the same time.
        if self.segmenter.tf32 and self.policy.dtype == "float32":
            allowed = "must be false with policy.dtype float32, whose products it would round too"
            raise refusal("segmenter.tf32", True, allowed)
        return self

    @model_validator(mode="after")
    def _adapters_are_where_training_is(self) -> TrainStage:
        if self.train.lora is None:
            return self
        check_targets(self.train.lora, self.policy.train_vision)
        return self


class PredictStage(Frozen):
    """What `predict_masks` reads, and nothing more."""

    name: Name
    dialect: DialectName
    threads: Positive
    policy: PolicyConfig
    segmenter: SegmenterConfig
    evaluation: PredictConfig


class RunConfig(TrainStage):
    """One run of the paper, complete."""

    trained: bool
    """False for a model that is evaluated as it is; its reward and training settings are unused."""
    scales: tuple[str, ...] | None = None
    """The scales at which the run exists, those that extend one included; null is all of them, and
    an empty list none: a public checkpoint, say, whose commit is not chosen yet."""
    benchmarks: tuple[Name, ...] | None = None
    """The benchmarks that an untrained run is evaluated on; null is all of them."""
    data: Name | None = None
    """Data of one's own (a name in `own_data.yaml`) that the run is trained on, in the place of the
    scale's training questions, and tried on; null trains on the scale's."""
    evaluation: EvaluationConfig

    @model_validator(mode="after")
    def _benchmarks_are_for_untrained_runs(self) -> RunConfig:
        if self.benchmarks is not None and self.trained:
            raise refusal("benchmarks", self.benchmarks, "must be left out where trained is true")
        return self

    @model_validator(mode="after")
    def _data_is_for_trained_runs(self) -> RunConfig:
        if self.data is not None and not self.trained:
            allowed = "must be left out where trained is false; it is tried on what others learn"
            raise refusal("data", self.data, allowed)
        if self.data is None and self.train.samples is None:
            raise refusal("train.samples", None, "must be a number without data of one's own")
        return self

    @model_validator(mode="after")
    def _policy_can_stand_in_a_command(self) -> RunConfig:
        try:
            check_word(self.policy.path)
        except ValueError as error:
            raise refusal("policy.path", self.policy.path, str(error)) from error
        return self

    @model_validator(mode="after")
    def _points_need_their_dialect(self) -> RunConfig:
        if self.reward.negative_points != "none" and self.dialect not in POINT_VALUES:
            raise refusal(
                "reward.negative_points",
                self.reward.negative_points,
                f"must be none with dialect {self.dialect}; only {', '.join(POINT_VALUES)} has "
                "several points",
            )
        return self

    def train_stage(self) -> TrainStage:
        """The slice that training depends on."""
        return TrainStage(**{name: getattr(self, name) for name in TrainStage.model_fields})

    def predict_stage(self) -> PredictStage:
        """The slice that prediction depends on."""
        shared = set(PredictStage.model_fields) - {"evaluation"}
        values = {name: getattr(self, name) for name in shared}
        evaluation = {name: getattr(self.evaluation, name) for name in PredictConfig.model_fields}
        return PredictStage(**values, evaluation=PredictConfig(**evaluation))

    def score_stage(self) -> ScoreStage:
        """The slice that scoring depends on."""
        names = ScoreStage.model_fields
        return ScoreStage(**{name: getattr(self.evaluation, name) for name in names})


Model = TypeVar("Model", bound=Frozen)


def parse_config(values: dict[str, Any], cls: type[Model], where: str) -> Model:
    """`values` as a `cls`; raises UserError of one sentence that begins with `where`."""
    try:
        found = cls.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{where}: {explain(error, cls)}") from error
    for path, value in find_unlike(values, found):
        raise UserError(f"{where}: {path} = {show(value)}: must be a number; write it as one.")
    return found


def load_stage(path: Path, cls: type[Model]) -> Model:
    """Read one stage's YAML file; raises UserError naming the file and the key."""
    return parse_config(read_mapping(path), cls, str(path))


def dump_stage(stage: Frozen) -> str:
    """The YAML text of a stage, in the schema's order; `load_stage` reads it back."""
    return yaml.safe_dump(stage.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
