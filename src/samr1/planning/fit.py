"""Whether a training fits into the memory there is, and which setting to change where not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, starmap
from typing import Any, NamedTuple, get_args

import psutil
import torch

from samr1.config.lora import AttentionLayer, LoraConfig, MlpLayer
from samr1.config.schema import RunConfig, TrainStage
from samr1.core.errors import UserError
from samr1.planning.job import Job, describe_job, total
from samr1.planning.memory import plan_evaluation, plan_host, plan_memory

Settings = Mapping[str, Any]  # a stage's keys, as train.zero_stage, or gpus -> their new values

_LAYERS = (*get_args(AttentionLayer), *get_args(MlpLayer))
# The adapters that are tried; at 3B to 72B they are one to two hundredths of the model.
_ADAPTERS: Settings = {
    "train.lora": LoraConfig(rank=64, alpha=128, targets=_LAYERS),
    "policy.train_vision": False,
}


class Change(NamedTuple):
    """Settings to change, in words, and the bytes that are needed then."""

    words: str
    needed: float


def change_stage(stage: TrainStage, settings: Settings) -> TrainStage:
    """`stage` with other values of some of its keys."""
    for key, value in settings.items():
        part, _, name = key.partition(".")
        changed = getattr(stage, part).model_copy(update={name: value})
        stage = stage.model_copy(update={part: changed})
    return stage


def with_rank(stage: TrainStage, rank: int) -> TrainStage:
    """`stage` with adapters of `rank`: its own, or all of the language model and no others."""
    if stage.train.lora is None:
        stage = change_stage(stage, _ADAPTERS)
    assert stage.train.lora is not None
    return change_stage(stage, {"train.lora": stage.train.lora.model_copy(update={"rank": rank})})


def find_changes(job: Job, room: float, hardware: bool) -> list[Change]:
    """Changes that make `job` need no more than `room` bytes, the mildest first.

    One setting, or where none is enough, two. With `hardware`, more GPUs count too.
    """
    single = list(_list_settings(job, hardware))
    for several in (1, 2):
        found: dict[tuple[str, ...], Change] = {}
        for parts in combinations(single, several):
            settings = {key: value for part in parts for key, value in part.items()}
            keys = tuple(settings)
            # It is one setting twice, or a smaller change of the same settings was enough.
            if len(keys) < sum(map(len, parts)) or keys in found:
                continue
            gpus = settings.pop("gpus", job.processes)
            changed = describe_job(change_stage(job.stage, settings), gpus, job.cuda)
            needed = plan_memory(changed).needed
            if needed <= room:
                words = (" with ".join(starmap(_say, part.items())) for part in parts)
                found[keys] = Change(" and ".join(words), needed)
        if found:
            return list(found.values())
    return []


def _list_settings(job: Job, hardware: bool) -> Iterator[Settings]:
    """Every single change, the mildest first."""

    def values(key: str, others: Iterable[int]) -> Iterator[Settings]:
        yield from ({key: value} for value in others)

    train = job.train
    if not train.gradient_checkpointing:
        yield {"train.gradient_checkpointing": True}
    if job.questions > 1:
        yield from values("train.tokens_per_pass", _halves(train.tokens_per_pass, job.row))
    yield from values("train.zero_stage", range(train.zero_stage + 1, 4))
    if job.cuda and not train.offload_optimizer:
        needs = {} if train.zero_stage else {"train.zero_stage": 1}
        yield needs | {"train.offload_optimizer": True}
    if job.stage.policy.train_vision and not job.adapter:
        yield {"policy.train_vision": False}
    yield from values("train.max_response_tokens", _halves(train.max_response_tokens, 128))
    yield from values("train.group_size", _halves(train.group_size, 2))
    if not job.adapter:
        yield _ADAPTERS
    if hardware:
        yield from values("gpus", (many * job.processes for many in (2, 4, 8)))


def _halves(value: int, least: int) -> Iterator[int]:
    while (value := value // 2) >= least:
        yield value


def _say(key: str, value: Any) -> str:
    """A changed setting in words."""
    if key == "gpus":
        return f"{value} GPUs"
    if isinstance(value, LoraConfig):
        return f"{key} of rank {value.rank}"
    return f"{key}: {str(value).lower()}"


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
        raise UserError(does_not_fit(job, needed, room, hardware=False))
    if job.cuda and stage.train.offload_optimizer:
        host, there = processes * total(plan_host(job)), available_memory()
        if host > there:
            raise UserError(
                f"training {stage.name} with train.offload_optimizer needs {host / 1e9:.1f} GB of "
                f"the host's memory and {there / 1e9:.1f} GB are available; set it to false, or "
                "train adapters (train.lora)."
            )


def does_not_fit(job: Job, needed: float, room: float, hardware: bool) -> str:
    """One sentence: how much is missing, in which phase, and which changes would do."""
    # A changed plan counts fragmentation, so that what is proposed does not end as near the edge.
    changes = find_changes(job, room, hardware)
    sentence = (
        f"training {job.stage.name} needs {needed / 1e9:.1f} GB a process (in its "
        f"{plan_memory(job).peak_phase}) and there are {room / 1e9:.1f} GB, "
        f"{(needed - room) / 1e9:.1f} GB too few"
    )
    if not changes:
        return f"{sentence}; no change of one or two settings is enough: use more GPUs."
    options = " or ".join(f"{words} ({size / 1e9:.1f} GB)" for words, size in changes[:4])
    return f"{sentence}; it fits with {options}."


def evaluation_does_not_fit(run: RunConfig, job: Job, room: float) -> str:
    """One sentence: how much is needed, and how many answers at once would fit."""

    def needed(slots: int) -> float:
        fewer = run.evaluation.model_copy(update={"batch_size": slots})
        return plan_evaluation(job, fewer).needed

    slots = run.evaluation.batch_size
    sentence = (
        f"evaluating {run.name} needs {needed(slots) / 1e9:.1f} GB a process and there are "
        f"{room / 1e9:.1f} GB"
    )
    for fewer in _halves(slots, 1):
        if (there := needed(fewer)) <= room:
            return (
                f"{sentence}; it fits with evaluation.batch_size: {fewer} ({there / 1e9:.1f} GB)."
            )
    return f"{sentence}, and not even one answer at a time fits: use a larger GPU."


def available_memory() -> float:
    """The bytes that this machine can still give out."""
    return float(psutil.virtual_memory().available)
