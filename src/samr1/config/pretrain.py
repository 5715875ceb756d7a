"""The schema of `config/pretrain.yaml`: the cold start of the tiny models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from samr1.config.base import Frozen, Name, NonNegative, Positive

Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0)]


class Habits(Frozen):
    """How those answer who teach the policy; without any they are right, exact and say it once."""

    careless: Share = 0.0
    """Share of the answers that are of another thing, of the same shape or colour where one is."""
    looseness: Annotated[float, Field(ge=0, le=3)] = 0.0
    """Share of a box's own extent by which each of its sides may be drawn too wide."""
    brief: Share = 0.0
    """Share of the thoughts that leave out the reason."""
    wordy: Share = 0.0
    """Share of the thoughts that repeat themselves."""
    wordy_from: Positive | None = None
    """The number of things in a picture from which on every thought does; null: no number."""


class Stage(Habits):
    """One stage of the policy's cold start."""

    name: Name
    """Names the stage, and the file that keeps its weights."""
    steps: Positive
    """Optimiser steps."""
    learning_rate: Rate
    """Peak, after a warm-up of 50 steps; a cosine follows."""
    pictures: Positive
    """Pictures a step."""
    questions: Positive = 1
    """Questions about each picture."""


class PolicyRecipe(Frozen):
    """The tiny policy's cold start."""

    seed: NonNegative
    """Seeds every draw."""
    start: Path
    """Folder of the policy from which it begins; its vocabulary may be an older one."""
    pictures: Positive
    """Pictures of the pre-training split."""
    stages: tuple[Stage, ...]
    """One after the other."""


class SegmenterRecipe(Frozen):
    """The tiny segmenter's training."""

    seed: NonNegative
    """Seeds the first weights and every draw."""
    steps: Positive
    """Optimiser steps."""
    learning_rate: Rate
    """Peak, after a warm-up of 50 steps; a cosine follows."""
    images: Positive
    """Images a step."""
    prompts: Positive
    """Prompts on each image."""
    box_jitter: Share
    """Share of a box's own extent by which each of its sides is off, at most."""
    pool: Positive
    """Scenes of the pre-training split."""


class PretrainConfig(Frozen):
    """Both cold starts."""

    policy: PolicyRecipe
    segmenter: SegmenterRecipe
