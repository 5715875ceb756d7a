"""Twenty recorded steps of a tiny policy, taken by any number of processes.

Rollouts, references and advantages are made once, from the base policy; what is compared is the
training on them: passes, gradients, AdamW. Five questions a step, three in each fifth one, which
leaves the last of four processes without any; passes are so short that processes need unequally
many.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from processes import find_port, fork, take_place
from safetensors.torch import load_file, save_file
from tiny import random_image, tiny_policy
from torch import Tensor
from training_world import make_stage

from samr1.policy.model import Policy, encode_question, load_policy
from samr1.rollout.sample import Group, sample_groups
from samr1.train.engine import Engine, join_processes
from samr1.train.step import Rollout, plan_updates, update

GROUP, TOKENS = 3, 6


@dataclass(frozen=True)
class Recorded:
    """One step: question numbers, their groups, the reference [Q, G, T] and advantages [Q, G]."""

    numbers: list[int]
    groups: list[Group]
    reference: Tensor
    advantages: Tensor


def questions_of(policy: Policy, numbers: list[int]) -> list[Any]:
    sides = (56, 84, 56, 28)
    return [
        encode_question(policy, random_image(n, sides[n % 4]), "a ball" + " far" * (n % 5), "qwen")
        for n in numbers
    ]


def record(steps: int, family: str = "qwen2_5_vl") -> list[Recorded]:
    """The steps, with answers drawn by the base policy of a family."""
    policy = tiny_policy(family=family)
    draw = torch.Generator().manual_seed(11)
    found = []
    for step in range(steps):
        numbers = list(range(7 * step, 7 * step + (3 if step % 5 == 4 else 5)))
        groups = sample_groups(
            policy,
            questions_of(policy, numbers),
            group_size=GROUP,
            temperature=1.0,
            max_new_tokens=TOKENS,
            keys=[(0, step, number) for number in numbers],
        )
        shape = (len(numbers), GROUP)
        reference = -5 + torch.rand(*shape, TOKENS, generator=draw)
        found.append(Recorded(numbers, groups, reference, torch.randn(shape, generator=draw)))
    return found


def train_on(
    world: Path, steps: list[Recorded], zero_stage: int, processes: int, **train: Any
) -> tuple[dict[str, Tensor], Tensor]:
    """The weights after the steps, and each step's objective, KL and gradient norm [S, 3]."""
    output = world / f"recorded_{zero_stage}_{processes}.safetensors"
    port = find_port()
    # As bytes: torch would send a file descriptor a tensor, and a process takes 252.
    packed = pickle.dumps(steps)
    workers = [
        fork(_train_part, world, packed, zero_stage, rank, processes, port, output, train)
        for rank in range(processes)
    ]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * processes
    tensors = load_file(output)
    return tensors, tensors.pop("measured")


def _train_part(
    world: Path,
    packed: bytes,
    zero_stage: int,
    rank: int,
    processes: int,
    port: int,
    output: Path,
    train: dict[str, Any],
) -> None:
    take_place(rank, processes, port)
    weights, measured = take_steps(world, pickle.loads(packed), zero_stage, **train)
    if rank == 0:
        save_file({**weights, "measured": measured}, output)
    torch.distributed.destroy_process_group()


def take_steps(
    world: Path, steps: list[Recorded], zero_stage: int, **train: Any
) -> tuple[dict[str, Tensor], Tensor]:
    """What `train_on` gives, by this process and those of its group."""
    join_processes()
    stage = make_stage(world, zero_stage=zero_stage, tokens_per_pass=60, **train)
    policy = load_policy(world / "policy")
    engine = Engine(policy, stage)
    measured = []
    for number, step in enumerate(steps):
        measured.append(_take(engine, policy, step, number + 1, stage))
    with engine.gathered_parameters():
        weights = {name: one.clone() for name, one in policy.model.state_dict().items()}
    return weights, torch.tensor(measured, dtype=torch.float64)


def _take(engine: Engine, policy: Policy, step: Recorded, number: int, stage: Any) -> list[float]:
    """One step's update on this process's questions; a process without one keeps company."""
    places = list(range(len(step.numbers)))[engine.rank :: engine.processes]
    is_padding, places = not places, places or [0]
    rollout = Rollout(
        questions_of(policy, [step.numbers[place] for place in places]),
        [step.groups[place] for place in places],
        [],
        None,
    )
    updates = plan_updates(engine, rollout, len(step.numbers), is_padding, stage)
    records, norms = update(
        engine,
        rollout,
        step.reference[places],
        step.advantages[places],
        updates,
        1e-4,
        number,  # step 0 is held against the rollout's log-probabilities, which is another test's
        stage,
    )
    everyones = engine.gather(records)
    loss = sum(one.share * one.loss for one in everyones)
    kl = sum(one.share * one.kl for one in everyones)
    return [loss, kl, sum(norms)]


def apart(
    one: tuple[dict[str, Tensor], Tensor], other: tuple[dict[str, Tensor], Tensor]
) -> list[float]:
    """How far two trainings lie apart: of weights, losses, KL and norms, as shares of `other`'s.

    Of the weights all together. Of what was measured the largest of any step, as a share of that
    step's value; of the losses, which may be next to 0, as a share of the largest.
    """
    ours, theirs = (torch.cat([w.flatten() for _, w in sorted(x[0].items())]) for x in (one, other))
    whole = other[1].abs()
    whole[:, 0] = whole[:, 0].max()
    measured = ((one[1] - other[1]).abs() / whole).amax(0)
    return [float((ours - theirs).norm() / theirs.norm()), *measured.tolist()]
