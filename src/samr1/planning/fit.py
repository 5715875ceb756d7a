"""Whether a training fits into the memory there is, and which setting to change where not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, get_args

import torch

from samr1.config.schema import AttentionLayer, LoraConfig, MlpLayer, TrainStage
from samr1.core.errors import UserError
from samr1.planning.job import Job, total
from samr1.planning.memory import PROMPT_TEXT_TOKENS, Memory, plan_host, plan_memory
from samr1.planning.parameters import (
    check_trainable,
    count_adapter,
    count_image_tokens,
    count_parts,
    find_policy_config,
    read_as_trainable,
)
from samr1.planning.segmenter_size import find_segmenter_size

# The adapters that are tried; at 3B to 72B they are one to two hundredths of the model.
_LORA = LoraConfig(rank=64, alpha=128, targets=(*get_args(AttentionLayer), *get_args(MlpLayer)))


@dataclass(frozen=True)
class Change:
    """Settings to change, in words, and what is needed then."""

    words: str
    memory: Memory


def with_rank(stage: TrainStage, rank: int) -> TrainStage:
    """`stage` with adapters of `rank`: its own, or all of the language model and no others."""
    if stage.train.lora is not None:
        lora, policy = stage.train.lora, stage.policy
    else:
        lora, policy = _LORA, stage.policy.model_copy(update={"train_vision": False})
    lora = lora.model_copy(update={"rank": rank})
    train = stage.train.model_copy(update={"lora": lora})
    return stage.model_copy(update={"policy": policy, "train": train})


def describe_job(stage: TrainStage, processes: int, cuda: bool, *, evaluated: bool = False) -> Job:
    """What the memory of one of `processes` of a training depends on.

    Raises UserError where the policy's configuration cannot be had, or is none that can be trained
    where it is not `evaluated` alone.
    """
    found = find_policy_config(stage.policy.path)
    config = read_as_trainable(found) if evaluated else check_trainable(found, stage.policy.path)
    parts = count_parts(config)
    train_vision, lora = stage.policy.train_vision, stage.train.lora
    trainable = parts.all - (0 if train_vision else parts.vision)
    return Job(
        policy=config,
        segmenter=find_segmenter_size(stage.segmenter.path),
        segmenter_size=stage.segmenter.image_size,
        image_size=stage.policy.image_size,
        number_bytes=2 if stage.policy.dtype == "bfloat16" else 4,
        trainable=count_adapter(config, lora, train_vision) if lora else trainable,
        adapter=lora is not None,
        train_vision=train_vision,
        processes=processes,
        zero_stage=stage.train.zero_stage,
        offload=stage.train.offload_optimizer,
        gradient_checkpointing=stage.train.gradient_checkpointing,
        checkpoint_steps=stage.train.checkpoint_steps,
        tokens_per_pass=stage.train.tokens_per_pass,
        group_size=stage.train.group_size,
        questions=-(-stage.train.questions_per_step // processes),
        response_tokens=stage.train.max_response_tokens,
        prompt_tokens=count_image_tokens(config, stage.policy.image_size) + PROMPT_TEXT_TOKENS,
        cuda=cuda,
    )


def find_changes(job: Job, room: float, hardware: bool) -> list[Change]:
    """Changes that make `job` need no more than `room` bytes, the mildest first.

    One setting, or where none is enough, two. With `hardware`, more GPUs count too.
    """
    single = list(_changes(job, hardware))
    for several in (1, 2):
        found: list[Change] = []
        done: set[tuple[str, ...]] = set()
        for parts in combinations(single, several):
            names = tuple(name for name, _, _ in parts)
            # A smaller change of the same settings was enough, or it is one setting twice.
            if names in done or len(set(names)) < several:
                continue
            changed = replace(
                job, **{key: v for _, _, values in parts for key, v in values.items()}
            )
            memory = plan_memory(changed)
            if memory.needed <= room:
                done.add(names)
                found.append(Change(" and ".join(words for _, words, _ in parts), memory))
        if found:
            return found
    return []


def _changes(job: Job, hardware: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Single changes: the setting's name, the change in words, and the job's fields that change."""
    if not job.gradient_checkpointing:
        name = "train.gradient_checkpointing"
        yield name, f"{name}: true", {"gradient_checkpointing": True}
    if job.questions > 1:
        for tokens in _halves(job.tokens_per_pass, job.row):
            name = "train.tokens_per_pass"
            yield name, f"{name}: {tokens}", {"tokens_per_pass": tokens}
    for stage in range(job.zero_stage + 1, 4):
        yield "train.zero_stage", f"train.zero_stage: {stage}", {"zero_stage": stage}
    if job.cuda and not job.offload:
        words = "train.offload_optimizer: true"
        if job.zero_stage:
            yield "train.offload_optimizer", words, {"offload": True}
        else:
            name, words = "train.zero_stage", f"train.zero_stage: 1 with {words}"
            yield name, words, {"offload": True, "zero_stage": 1}
    if job.train_vision and not job.adapter:
        trainable = job.trainable - count_parts(job.policy).vision
        name = "policy.train_vision"
        yield name, f"{name}: false", {"train_vision": False, "trainable": trainable}
    for limit in _halves(job.response_tokens, 128):
        name = "train.max_response_tokens"
        yield name, f"{name}: {limit}", {"response_tokens": limit}
    for size in _halves(job.group_size, 2):
        yield "train.group_size", f"train.group_size: {size}", {"group_size": size}
    if not job.adapter:
        adapter = count_adapter(job.policy, _LORA, False)
        words = f"train.lora of rank {_LORA.rank} with policy.train_vision: false"
        yield (
            "train.lora",
            words,
            {"adapter": True, "trainable": adapter, "train_vision": False},
        )
    if not hardware:
        return
    for times in (2, 4, 8):
        processes = times * job.processes
        questions = -(-job.questions // times)
        more = {"processes": processes, "questions": questions}
        yield "gpus", f"{processes} GPUs", more


def _halves(value: int, least: int) -> Iterator[int]:
    """A half, a quarter, … of `value`, down to `least`."""
    while (value := value // 2) >= least:
        yield value


def check_fits(stage: TrainStage, device: torch.device, processes: int) -> None:
    """Refuse a training that does not fit into the memory of `device`, before a model is loaded.

    On a GPU it is compared with the whole memory, what fragmentation may take left out, and on a
    CPU with what is available, shared by the `processes`; what is offloaded from GPUs, with what is
    available too. Raises UserError that names the setting to change.
    """
    job = describe_job(stage, processes, device.type == "cuda")
    memory = plan_memory(job)
    room = (
        torch.cuda.get_device_properties(device).total_memory
        if job.cuda
        else available_memory() / processes
    )
    needed = memory.tensors + sum(line.bytes for line in memory.allowances[:1])
    if needed > room:
        raise UserError(does_not_fit(stage.name, job, memory, needed, room, hardware=False))
    if job.cuda and job.offload:
        host, there = processes * total(plan_host(job)), available_memory()
        if host > there:
            raise UserError(
                f"training {stage.name} with train.offload_optimizer needs {host / 1e9:.1f} GB of "
                f"the host's memory and {there / 1e9:.1f} GB are available; set it to false, or "
                "train adapters (train.lora)."
            )


def does_not_fit(
    name: str, job: Job, memory: Memory, needed: float, room: float, hardware: bool
) -> str:
    """One sentence: how much is missing, in which phase, and which changes would do."""
    # A changed plan counts fragmentation, so that what is proposed does not end as near the edge.
    changes = find_changes(job, room, hardware)
    sentence = (
        f"training {name} needs {needed / 1e9:.1f} GB a process (in its {memory.peak_phase}) and "
        f"there are {room / 1e9:.1f} GB, {(needed - room) / 1e9:.1f} GB too few"
    )
    if not changes:
        return f"{sentence}; no change of one or two settings is enough: use more GPUs."
    options = " or ".join(
        f"{change.words} ({change.memory.needed / 1e9:.1f} GB)" for change in changes[:4]
    )
    return f"{sentence}; it fits with {options}."


def available_memory() -> float:
    """The bytes that this machine can still give out."""
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024.0
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))
