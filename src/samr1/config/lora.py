"""The settings of adapters (LoRA), and where they may be."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from samr1.config.base import Frozen, Positive, refusal

# The linear layers of a Qwen-VL, as `transformers` names them. Those of the MLPs have the same
# names in the language model and in a Qwen2.5-VL's vision tower; a Qwen3-VL's has two of its own.
AttentionLayer = Literal["q_proj", "k_proj", "v_proj", "o_proj"]  # of the language model
VisionLayer = Literal["qkv", "proj", "linear_fc1", "linear_fc2"]  # of the vision tower alone
MlpLayer = Literal["gate_proj", "up_proj", "down_proj"]
Layer = Literal[AttentionLayer, MlpLayer, VisionLayer]


class LoraConfig(Frozen):
    """Adapters that are trained in the place of the weights; without dropout.

    The weights stay those of the reference, which is the same model, its adapters switched off. The
    trained policy is written merged: whole weights in the policy's dtype, as without adapters.
    """

    rank: Positive
    """Rank of each adapter's two matrices."""
    alpha: Annotated[float, Field(gt=0)]
    """An adapter's product counts alpha / rank times; often twice the rank."""
    targets: Annotated[tuple[Layer, ...], Field(min_length=1)]
    """Which linear layers have one; in the vision tower only with `policy.train_vision`."""

    @model_validator(mode="after")
    def _each_layer_once(self) -> LoraConfig:
        for name in self.targets:
            if self.targets.count(name) > 1:
                raise refusal("targets", self.targets, f"must name {name} once")
        return self


def check_targets(lora: LoraConfig, train_vision: bool) -> None:
    """Refuse, in the train stage's words, adapters where training is not, or none where it is."""
    key, targets = "train.lora.targets", lora.targets
    of_tower = [name for name in targets if name in get_args(VisionLayer)]
    if len(of_tower) == len(targets):
        raise refusal(key, targets, "must name a layer of the language model too")
    if train_vision:
        if not of_tower and not set(targets) & set(get_args(MlpLayer)):
            allowed = f"must be false, because {key} names no layer of the vision tower"
            raise refusal("policy.train_vision", True, allowed)
    elif of_tower:
        allowed = f"must not name {of_tower[0]}, a layer of the vision tower, which "
        raise refusal(key, targets, f"{allowed}policy.train_vision: false leaves as it is")
