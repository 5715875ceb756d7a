"""Whether a training fits into the memory there is, and which setting to change where not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch

from samr1.config.schema import AttentionLayer, LoraConfig, MlpLayer, TrainStage
from samr1.core.errors import UserError
from samr1.planning.job import Job, describe_job, total
from samr1.planning.memory import Memory, plan_host, plan_memory
from samr1.planning.parameters import count_adapter

# The adapters that are tried; at 3B to 72B they are one to two hundredths of the model.
_LORA = LoraConfig(rank=64, alpha=128, targets=(*get_args(AttentionLayer), *get_args(MlpLayer)))


class Change(NamedTuple):
    """Settings to change, in words, and the bytes that are needed then."""

    words: str
    needed: float


class _Setting(NamedTuple):
    """One setting's other value: its key, the change in words, and what a job has then."""

    key: str
    words: str
    job: dict[str, Any]


def with_rank(stage: TrainStage, rank: int) -> TrainStage:
    """`stage` with adapters of `rank`: its own, or all of the language model and no others."""
    if stage.train.lora is not None:
        lora, policy = stage.train.lora, stage.policy
    else:
        lora, policy = _LORA, stage.policy.model_copy(update={"train_vision": False})
    lora = lora.model_copy(update={"rank": rank})
    train = stage.train.model_copy(update={"lora": lora})
    return stage.model_copy(update={"policy": policy, "train": train})


def find_changes(job: Job, room: float, hardware: bool) -> list[Change]:
    """Changes that make `job` need no more than `room` bytes, the mildest first.

    One setting, or where none is enough, two. With `hardware`, more GPUs count too.
    """
    single = list(_list_settings(job, hardware))
    for several in (1, 2):
        found: dict[tuple[str, ...], Change] = {}
        for parts in combinations(single, several):
            keys = tuple(part.key for part in parts)
            # A smaller change of the same settings was enough, or it is one setting twice.
            if keys in found or len(set(keys)) < several:
                continue
            values = {name: value for part in parts for name, value in part.job.items()}
            needed = plan_memory(replace(job, **values)).needed
            if needed <= room:
                found[keys] = Change(" and ".join(part.words for part in parts), needed)
        if found:
            return list(found.values())
    return []


def _list_settings(job: Job, hardware: bool) -> Iterator[_Setting]:
    """Every single change, the mildest first."""

    def values(key: str, field: str, others: Iterable[int | bool]) -> Iterator[_Setting]:
        for value in others:
            yield _Setting(key, f"{key}: {str(value).lower()}", {field: value})

    def halves(value: int, least: int) -> Iterator[int]:
        while (value := value // 2) >= least:
            yield value

    if not job.gradient_checkpointing:
        yield from values("train.gradient_checkpointing", "gradient_checkpointing", [True])
    if job.questions > 1:
        fewer = halves(job.tokens_per_pass, job.row)
        yield from values("train.tokens_per_pass", "tokens_per_pass", fewer)
    yield from values("train.zero_stage", "zero_stage", range(job.zero_stage + 1, 4))
    if job.cuda and not job.offload:
        key, words = "train.offload_optimizer", "train.offload_optimizer: true"
        if not job.zero_stage:
            key, words = "train.zero_stage", f"train.zero_stage: 1 with {words}"
        yield _Setting(key, words, {"offload": True, "zero_stage": max(job.zero_stage, 1)})
    frozen = {"train_vision": False, "trainable": job.trainable - job.parts.vision}
    if job.train_vision and not job.adapter:
        yield _Setting("policy.train_vision", "policy.train_vision: false", frozen)
    shorter = halves(job.response_tokens, 128)
    yield from values("train.max_response_tokens", "response_tokens", shorter)
    yield from values("train.group_size", "group_size", halves(job.group_size, 2))
    if not job.adapter:
        words = f"train.lora of rank {_LORA.rank} with policy.train_vision: false"
        trainable = count_adapter(job.policy, _LORA, False)
        lora = frozen | {"adapter": True, "trainable": trainable}
        yield _Setting("train.lora", words, lora)
    for times in (2, 4, 8) if hardware else ():
        processes, questions = times * job.processes, -(-job.questions // times)
        more = {"processes": processes, "questions": questions}
        yield _Setting("gpus", f"{processes} GPUs", more)


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
    needed = memory.tensors + total(memory.allowances[:1])
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
    options = " or ".join(f"{words} ({size / 1e9:.1f} GB)" for words, size in changes[:4])
    return f"{sentence}; it fits with {options}."


def available_memory() -> float:
    """The bytes that this machine can still give out."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024.0
