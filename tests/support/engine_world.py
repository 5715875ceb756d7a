"""An engine with three questions and their answers, and one step of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tiny import random_image

from samr1.config.schema import TrainStage
from samr1.policy.model import Policy, encode_question, load_policy
from samr1.rollout.sample import sample_groups
from samr1.train.engine import Engine, join_processes
from samr1.train.step import Rollout


def make_rollout(policy: Policy) -> Rollout:
    questions = [
        encode_question(policy, random_image(index, side), query, "qwen")
        for index, (side, query) in enumerate([(56, "a ball"), (84, "the blue ring"), (56, "x")])
    ]
    groups = sample_groups(
        policy,
        questions,
        group_size=3,
        temperature=1.0,
        max_new_tokens=6,
        keys=[(0, 0, index) for index in range(3)],
    )
    return Rollout(questions, groups, [], None)


def reference_and_advantages(rollout: Rollout) -> tuple[torch.Tensor, torch.Tensor]:
    """What the reference gives the responses [Q, G, T], and their advantages [Q, G]; made up."""
    draw = torch.Generator().manual_seed(5)
    longest = max(len(response) for group in rollout.responses for response in group)
    reference = -5 + torch.rand(3, 3, longest, generator=draw)
    return reference, torch.randn(3, 3, generator=draw)


def start_engine(
    world: Path, stage: TrainStage
) -> tuple[Engine, Callable[[], dict[str, torch.Tensor]], Rollout]:
    """An engine, what gives its weights, and three questions with their answers."""
    join_processes()
    policy = load_policy(world / "policy", stage.policy.dtype)
    rollout = make_rollout(policy)
    engine = Engine(policy, stage)

    def weights() -> dict[str, torch.Tensor]:
        with engine.gathered_parameters():
            return {name: one.clone() for name, one in policy.model.state_dict().items()}

    return engine, weights, rollout


def take_step(engine: Engine, rollout: Rollout) -> None:
    scored = engine.score(rollout.questions, rollout.responses)
    engine.backward(-scored.logprobs.sum())
    engine.step(1e-3)
