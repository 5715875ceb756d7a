"""The models of a training: the policy in its engine, the reference, the segmenter."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from samr1.config.schema import TrainStage
from samr1.core.device import DeviceKind, make_deterministic
from samr1.policy.model import Policy, load_policy
from samr1.segmenter import Segmenter
from samr1.train.engine import Engine, join_processes


@dataclass(frozen=True)
class Models:
    """`engine` trains `policy`; `reference` (KL) and `segmenter` (reward) are frozen.

    With adapters the reference is the policy itself, which is asked with them switched off.
    """

    policy: Policy
    reference: Policy
    segmenter: Segmenter
    engine: Engine


def load_models(stage: TrainStage, kind: DeviceKind | None) -> Models:
    """Load them on this process's device and seed torch; `kind` is that of `use_device`."""
    device = join_processes(kind, threads=stage.threads, tf32=stage.segmenter.tf32)
    torch.manual_seed(stage.seed)
    make_deterministic()
    config = stage.policy
    policy = load_policy(config.path, config.dtype, device, config.attention)
    reference = policy
    if stage.train.lora is None:
        reference = load_policy(config.path, config.dtype, device, config.attention)
        reference.model.requires_grad_(False)
    segmenter = Segmenter.load(stage.segmenter.path, stage.segmenter.image_size, device)
    return Models(policy, reference, segmenter, Engine(policy, stage))
