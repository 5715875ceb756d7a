"""What one process holds that the next step needs: masters and moments.

Read from and put back into DeepSpeed's optimizers (0.19.8) in place, as plain tensors: each process
has the partition that ZeRO gave it, and the weights of the forward pass follow from the masters.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from samr1.core.errors import UserError


def optimizer_tensors(engine: Any) -> dict[str, Tensor]:
    """The masters and AdamW's state of this process, by `<group>.<name>`; they are not copies.

    `engine` is a DeepSpeed engine between two steps. Moments exist once a step was taken.
    """
    state = engine.basic_optimizer.state
    tensors = {}
    for index, master in enumerate(_masters(engine)):
        tensors[f"{index}.master"] = master.detach()
        for name, value in state[master].items():
            tensors[f"{index}.{name}"] = torch.as_tensor(value)
    return tensors


@torch.no_grad()
def load_optimizer_tensors(engine: Any, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave; all processes together.

    Raises UserError where the tensors are those of another model or another partition.
    """
    masters = _masters(engine)
    found = {name: tuple(tensors[name].shape) for name in tensors if name.endswith(".master")}
    wanted = {f"{index}.master": tuple(master.shape) for index, master in enumerate(masters)}
    if found != wanted:
        raise UserError(
            "the checkpoint's weights are cut otherwise than this run's; remove its folder to "
            "start anew."
        )
    state = engine.basic_optimizer.state
    for index, master in enumerate(masters):
        values = {
            name.split(".", 1)[1]: value
            for name, value in tensors.items()
            if name.startswith(f"{index}.")
        }
        master.copy_(values.pop("master"))
        for name, value in values.items():
            if name not in state[master]:  # no step was taken yet
                # AdamW's count of steps stays on the CPU, as torch makes it.
                place = "cpu" if value.ndim == 0 else master.device
                state[master][name] = value.to(place, copy=True)
            else:
                state[master][name].copy_(value)
    _show_masters(engine)


def _masters(engine: Any) -> list[Tensor]:
    """The tensors that AdamW moves on this process."""
    if engine.zero_optimization_stage() == 3:
        # ZeRO 3 hands them to AdamW for the moment of a step only.
        return list(engine.optimizer.fp32_partitioned_groups_flat)
    return [one for group in engine.basic_optimizer.param_groups for one in group["params"]]


def _show_masters(engine: Any) -> None:
    """Make the weights of the forward pass those of the masters, as the end of a step does."""
    optimizer = engine.optimizer
    if engine.zero_optimization_stage() == 3:
        for index in range(len(optimizer.fp32_partitioned_groups_flat)):
            optimizer._reassign_or_swap_out_partitioned_parameters(index)
        if kept := optimizer.persistent_parameters:
            kept[0].partition(kept)
            kept[0].all_gather(kept)
    elif hasattr(optimizer, "update_lp_params"):  # bfloat16 in stage 1
        optimizer.update_lp_params()
    elif hasattr(optimizer, "parallel_partitioned_bit16_groups"):  # stages 1 and 2
        for parts, master in zip(
            optimizer.parallel_partitioned_bit16_groups,
            optimizer.single_partition_of_fp32_groups,
            strict=True,
        ):
            parts[dist.get_rank()].copy_(master)
            for rank, part in enumerate(parts):
                dist.broadcast(part, src=rank)
    elif hasattr(optimizer, "fp32_groups"):  # bfloat16 in stage 0
        for weights, masters in zip(optimizer.fp16_groups, optimizer.fp32_groups, strict=True):
            for weight, master in zip(weights, masters, strict=True):
                weight.copy_(master)
