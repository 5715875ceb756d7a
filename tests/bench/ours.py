"""One GRPO step of this project, from the picture to the updated weights; the one place that
calls the trainer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from model import DIALECT, QUERY, noise_image, trivial_reward
from setting import ROOT, Setting

from samr1.config.merge import load_experiment, merge
from samr1.config.schema import TrainStage
from samr1.method.advantage import group_advantages
from samr1.policy.model import Policy, encode_question, load_policy
from samr1.train.batches import Sample
from samr1.train.engine import Engine, join_processes
from samr1.train.step import plan_updates, roll_out, score_reference, update

PHASES = ("encode", "rollout", "reference", "update")


def make_stage(setting: Setting, folder: Path, updates: int = 1) -> TrainStage:
    """The micro run's configuration with what the bench fixes on both sides on top."""
    run = load_experiment(ROOT / "config", "micro").runs["sam_r1"].train_stage()
    overrides: dict[str, Any] = {
        "dialect": DIALECT,
        "threads": setting.threads,
        "policy": {
            "path": str(folder),
            "image_size": setting.image_size,
            "dtype": "float32",
            "train_vision": True,
        },
        "train": {
            "steps": None,
            "group_size": setting.group_size,
            "questions_per_step": 1,
            "questions_per_update": None,
            "updates_per_rollout": updates,
            "learning_rate": 1e-6,
            "schedule": "constant",
            "warmup_steps": 0,
            "kl_coef": 0.005,
            "normaliser": "group",
            "temperature": 1.0,
            "max_response_tokens": setting.response_tokens,
            "tokens_per_pass": 2**20,  # the whole group at once
            "zero_stage": 0,
            "checkpoint_steps": 1,
        },
    }
    return TrainStage.model_validate(merge(run.model_dump(), overrides))


def load_endless(folder: Path) -> Policy:
    """The policy, kept from ending its turn: every response has exactly the longest length."""
    policy = load_policy(folder)
    never = (*policy.blocked_token_ids, policy.stop_token_id)
    return replace(policy, blocked_token_ids=never)


class OurStep:
    """A policy, its reference and the engine, ready to take one step after another."""

    def __init__(self, setting: Setting, folder: Path, updates: int = 1) -> None:
        torch.manual_seed(0)
        join_processes()
        self.setting = setting
        self.stage = make_stage(setting, folder, updates)
        self.policy, self.reference = load_endless(folder), load_endless(folder)
        self.reference.model.requires_grad_(False)
        self.engine = Engine(self.policy, self.stage)
        self.steps = 0
        self.prompt_tokens = len(self._question(0).input_ids)

    def __call__(self) -> dict[str, float]:
        """Take a step on the next image; the seconds of each of `PHASES`, and their `total`."""
        image = noise_image(self.steps, self.setting.image_size)
        sample = Sample(self.steps, "", "", "", *image.size, QUERY, None, {})
        seconds: dict[str, float] = {}
        begin = time.perf_counter()
        with _phase(seconds, "encode"):
            questions = [encode_question(self.policy, image, QUERY, DIALECT)]
        with _phase(seconds, "rollout"):
            rollout = roll_out(
                self.policy, self.engine, [sample], questions, self.steps, self.stage
            )
        responses = rollout.groups[0].responses
        rewards = [[trivial_reward(response) for response in responses]]
        with _phase(seconds, "reference"):
            reference = score_reference(self.reference, self.engine, rollout, self.stage)
        with _phase(seconds, "update"):
            updates = plan_updates(self.engine, rollout, 1, False, self.stage)
            rate = self.stage.train.learning_rate
            advantages = group_advantages(torch.tensor(rewards))
            update(
                self.engine, rollout, reference, advantages, updates, rate, self.steps, self.stage
            )
        seconds["total"] = time.perf_counter() - begin
        if any(len(response) != self.setting.response_tokens for response in responses):
            raise RuntimeError("a response is not of the length that the bench fixes")
        self.steps += 1
        return seconds

    def _question(self, index: int) -> Any:
        image = noise_image(index, self.setting.image_size)
        return encode_question(self.policy, image, QUERY, DIALECT)


@contextmanager
def _phase(seconds: dict[str, float], name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begin
