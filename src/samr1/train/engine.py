"""The one training engine: DeepSpeed's, on one process as on many.

The gradient of an update is what its passes add up to, however the questions fall into them: each
pass's loss comes already weighed by its share, and `managed_gradient_accumulation: false` leaves it
to the caller when to step. Without a launcher a group of one process is made in memory.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from samr1.config.schema import TrainStage
from samr1.core.device import DeviceKind, use_device
from samr1.policy.adapter import add_adapter
from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.logprobs import ResponseLogprobs
from samr1.rollout.packing import Responses
from samr1.train.scorer import Scorer
from samr1.train.state import load_optimizer_tensors, optimizer_tensors

# How long processes wait for each other where they meet once a step, after rollouts of their own
# length and checkpoints of their own disk. DeepSpeed's group keeps NCCL's 10 minutes: there one
# waits for another's part of a pass.
_PATIENCE = timedelta(hours=2)


def join_processes(
    kind: DeviceKind | None = None, *, threads: int | None = None, tf32: bool = False
) -> torch.device:
    """Join the group of training processes and return this one's device, as `use_device` does.

    Under a launcher the group is the launcher's; otherwise it is this process alone.
    """
    # DeepSpeed reads both when it is imported or initialised.
    number = int(os.environ.setdefault("LOCAL_RANK", "0"))
    device = use_device(kind, threads=threads, number=number, tf32=tf32)
    os.environ.setdefault("DS_ACCELERATOR", device.type)
    if not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        if "RANK" in os.environ:
            dist.init_process_group(backend, timeout=_PATIENCE)
        else:
            store = dist.HashStore()  # type: ignore[attr-defined]
            dist.init_process_group(backend, timeout=_PATIENCE, store=store, rank=0, world_size=1)
    return device


def reduction_bucket(trainable: int) -> int:
    """The numbers of the buffer in which gradients are summed, for so many that are trained.

    DeepSpeed's own default is 500 million, most of them unused by a small model.
    """
    return min(500_000_000, trainable)


class Engine:
    """AdamW on a policy's trainable weights, through DeepSpeed."""

    def __init__(self, policy: Policy, stage: TrainStage) -> None:
        """Wrap `policy`, which stays the same object: after a step its weights are the new ones.

        With `stage.train.lora` it gets adapters, and only they are trained.
        Call `join_processes` first, and load the policy on the device that it returns.
        """
        config = stage.train
        if config.lora is None:
            policy.model.model.visual.requires_grad_(stage.policy.train_vision)
        else:
            add_adapter(policy.model, config.lora, stage.policy.train_vision, stage.seed)
        self._scorer = Scorer(policy, config.temperature, config.gradient_checkpointing)
        self._trainable = [weight for weight in policy.model.parameters() if weight.requires_grad]
        self._zero_stage = config.zero_stage
        self.rank, self.processes = dist.get_rank(), dist.get_world_size()
        self._norm = float("nan")
        optimizer = torch.optim.AdamW(
            self._trainable,
            lr=0.0,  # each step has its own
            weight_decay=config.weight_decay,
            # On a CPU, where it is no default, the plain kind takes ten times as long.
            fused=config.offload_optimizer or None,
        )
        own_norm = config.zero_stage == 0 and stage.policy.dtype == "float32"
        if own_norm:
            # Plain stage 0 clips but does not tell the norm: clip where the gradients are final.
            optimizer.register_step_pre_hook(lambda *_: self._clip(config.max_grad_norm))
        bucket = reduction_bucket(sum(weight.numel() for weight in self._trainable))
        pinned = policy.model.device.type == "cuda"
        offload = {"offload_optimizer": {"device": "cpu", "pin_memory": pinned}}
        self._engine = _import_deepspeed().initialize(
            model=self._scorer,
            optimizer=optimizer,
            config={
                "train_micro_batch_size_per_gpu": 1,
                "managed_gradient_accumulation": False,
                "zero_optimization": {
                    "stage": config.zero_stage,
                    "reduce_bucket_size": bucket,
                    **(offload if config.offload_optimizer else {}),
                },
                # DeepSpeed's own AdamW for the host would be compiled for half a minute, on a
                # machine that has a compiler; torch's is as exact and has the same states.
                "zero_force_ds_cpu_optimizer": False,
                "bf16": {"enabled": stage.policy.dtype == "bfloat16"},
                "gradient_clipping": 0.0 if own_norm else config.max_grad_norm,
                "steps_per_print": 2**31,
            },
        )[0]
        # In bfloat16 without ZeRO it has taken a step of gradients 0, to make the moments: at rate
        # 0 that moved nothing, but it was counted.
        optimizer.state.clear()

    def score(
        self,
        questions: Sequence[EncodedPrompt],
        groups: Sequence[Responses],
        image_features: Sequence[Tensor] | None = None,
    ) -> ResponseLogprobs:
        """`response_logprobs` of the policy as it is now, with gradients."""
        return ResponseLogprobs(*self._engine(questions, groups, image_features))

    def score_still(
        self,
        questions: Sequence[EncodedPrompt],
        groups: Sequence[Responses],
        image_features: Sequence[Tensor] | None = None,
    ) -> ResponseLogprobs:
        """`score` without gradients, by this process alone, in `gathered_parameters`."""
        with torch.no_grad():
            return ResponseLogprobs(*self._scorer(questions, groups, image_features))

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss` (0-d) to the update; losses of the processes are averaged."""
        self._engine.backward(loss)

    def step(self, learning_rate: float) -> float:
        """Update the weights; return the gradient norm before it was clipped."""
        for group in self._engine.optimizer.param_groups:
            group["lr"] = learning_rate
        self._engine.step()
        norm = self._engine.get_global_grad_norm()
        return self._norm if norm is None else float(norm)

    def _clip(self, max_norm: float) -> None:
        self._norm = float(nn.utils.clip_grad_norm_(self._trainable, max_norm))

    @contextmanager
    def gathered_parameters(self) -> Iterator[None]:
        """While it is open this process has all weights, which ZeRO stage 3 keeps in parts."""
        if self._zero_stage < 3:
            yield
            return
        offload = self._engine.optimizer.parameter_offload
        weights = list(self._scorer.parameters())
        with _import_deepspeed().zero.GatheredParameters(weights):
            # Its hooks gather a layer at a time on all processes at once, which do not decode
            # equally long; DeepSpeed has no public switch for them.
            for weight in weights:
                weight.ds_active_sub_modules.clear()  # type: ignore[attr-defined]
            offload._remove_module_hooks()
            offload.forward_hooks, offload.backward_hooks = [], []
            yield
            offload.setup_zero_stage3_hooks()

    def tensors(self) -> dict[str, Tensor]:
        """What this process holds of weights and optimiser between two steps; not copies."""
        return optimizer_tensors(self._engine)

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Go back to what `tensors` gave on this process; all processes together."""
        load_optimizer_tensors(self._engine, tensors)

    def gather(self, values: Sequence[Any]) -> list[Any]:
        """The `values` of all processes, in the order of their ranks."""
        parts: list[Any] = [None] * self.processes
        dist.all_gather_object(parts, list(values))
        return [value for part in parts for value in part]


def _import_deepspeed() -> Any:
    # Here and not above: its import takes seconds and reads what `join_processes` sets.
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    import deepspeed

    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    # Collectives in shared memory, for many processes on CPUs, would be compiled for half a minute;
    # gloo does without. To ask what else could be built tries every operator's compiler.
    deepspeed.ops.__compatible_ops__ = {}
    return deepspeed
