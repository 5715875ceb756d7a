"""The one schema of the configuration: frozen, documented, and refusing what cannot mean anything.

A scale file's `defaults`, with a run's sparse overrides on top, make one `RunConfig`
(`samr1.config.merge`). Each stage gets only its own slice as a file, so that a change in the
evaluation never retrains.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from samr1.config.base import (
    Frozen,
    Name,
    Named,
    NonNegative,
    Positive,
    Seed,
    check_word,
    refusal,
    slice_of,
)
from samr1.config.errors import explain, find_unlike, read_mapping, show
from samr1.config.lora import check_targets
from samr1.config.names import (
    POINT_VALUES,
    WITHOUT_THOUGHT,
    DialectName,
    MaskReward,
    PackedAttention,
)
from samr1.config.train import TrainConfig
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


class PredictConfig(Frozen):
    batch_size: Positive
    """Samples in decoding at once; one that has ended makes room for the next."""
    max_response_tokens: Positive
    """Longest response in tokens."""


class ScoreStage(Frozen):
    bootstrap_resamples: Positive
    """Resamples of the bootstrap over images."""
    bootstrap_seed: NonNegative
    """Seeds the bootstrap."""


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
    def _training_asks_for_a_thought(self) -> RunConfig:
        if self.trained and self.dialect in WITHOUT_THOUGHT:
            allowed = (
                "must be one that thinks where trained is true, which rewards the thought's form"
            )
            raise refusal("dialect", self.dialect, allowed)
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
        return TrainStage(**slice_of(TrainStage, self))

    def predict_stage(self) -> PredictStage:
        """The slice that prediction depends on."""
        evaluation = PredictConfig(**slice_of(PredictConfig, self.evaluation))
        return PredictStage(**slice_of(PredictStage, self) | {"evaluation": evaluation})

    def score_stage(self) -> ScoreStage:
        """The slice that scoring depends on."""
        return ScoreStage(**slice_of(ScoreStage, self.evaluation))


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
    """Read a YAML file that is one `cls`; raises UserError naming the file and the key."""
    return parse_config(read_mapping(path), cls, str(path))


def load_named(path: Path, cls: type[Model], what: str) -> dict[str, Model]:
    """Read a YAML file that holds a `cls` by each of its names; `what` is the word for one.

    Raises UserError naming the file, the name and the key.
    """
    found = {}
    for name, values in read_mapping(path).items():
        where = f"{path}: {what} {name}"
        parse_config({"name": name}, Named, where)
        if not isinstance(values, dict):
            raise UserError(f"{where} = {show(values)}: must be a mapping of its keys.")
        found[name] = parse_config(values, cls, where)
    return found


def dump_stage(stage: Frozen, leave_out: Mapping[str, bool | set[str]] | None = None) -> str:
    """The YAML text of a stage, in the schema's order.

    `load_stage` reads it back, where `leave_out` names only keys that have a default.
    """
    values = stage.model_dump(mode="json", exclude=leave_out)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
