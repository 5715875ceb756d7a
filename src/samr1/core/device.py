"""The device that models run on, and what of torch is set for it: one place for every command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Literal

import torch

from samr1.core.errors import UserError

DeviceKind = Literal["cpu", "cuda"]

ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")  # the second is torch's older name


def use_device(
    kind: DeviceKind | None = None,
    *,
    threads: int | None = None,
    number: int = 0,
    tf32: bool = False,
) -> torch.device:
    """Set torch up for models on a device of `kind` and return it; of several GPUs that `number`.

    Call it before the first tensor is made there. None takes a GPU where there is one. `threads`
    are torch's on the CPU. With `tf32` a GPU rounds the factors of float32 products to ten bits.
    Raises UserError where a GPU is asked for and is not there.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cpu" or (kind is None and not count):
        return torch.device("cpu")
    if not count:
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        raise UserError(
            "this job is to run on a GPU and CUDA is not available here to torch, which is built "
            f"{built}; mend the driver or the installation of torch (envs/README.md), or set "
            "gpus: 0 in the scale file (--device cpu)."
        )
    if number >= count:
        raise UserError(
            f"process {number + 1} of this job needs a GPU of its own and this machine shows "
            f"{count}; lower processes and gpus in the scale file."
        )
    if not any(name in os.environ for name in ALLOCATOR):
        os.environ[ALLOCATOR[0]] = _settings()  # read at the first allocation
    torch.cuda.set_device(number)
    # It plans by exact shape, and with a cache that grows by a token every token is a new one.
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32  # of convolutions; torch's own default is true
    return torch.device("cuda", number)


def _settings() -> str:
    """How torch allocates memory of a GPU, and of the host for what goes to and from one."""
    # Rows of every length would leave gaps that no other fills.
    settings = "expandable_segments:True"
    if torch.__version__ >= "2.13":
        # What torch would keep for another time it takes in powers of two: nearly twice the bytes
        # of some optimiser's states on the host. (Its other switch for that hands out a kept piece
        # that is too small.)
        settings += ",pinned_max_cached_size_mb:64"
    return settings


def same_device() -> Callable[[], None]:
    """What gives another thread the GPU of this one; a thread begins with the machine's first."""
    if not torch.cuda.is_initialized():
        return lambda: None
    return partial(torch.cuda.set_device, torch.cuda.current_device())


@cache
def side_stream(device: torch.device, use: str) -> torch.cuda.Stream:
    """The stream of a GPU, beside its usual one, that is for one `use` and no other.

    Always the same one: for each that ever multiplied cuBLAS keeps a workspace of 32 MiB.
    """
    return torch.cuda.Stream(device)


def wait_for(device: torch.device) -> Callable[[], None]:
    """What waits until `device` has done what this thread asked of it; a CPU has, always.

    On a GPU that is the thread's own stream, so that no other's work is waited for.
    """
    if device.type != "cuda":
        return lambda: None
    return lambda: torch.cuda.current_stream(device).synchronize()


def make_deterministic() -> None:
    """Let torch take the ways whose sums have one order, where it has such a way.

    Fresh buffers stay unfilled: nothing here reads one before it is written, and filling them costs
    seconds an update. Call it before the first product on a GPU.
    """
    # cuBLAS has such ways where its workspace is fixed; where it is not, torch warns of every one.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


@contextmanager
def any_order() -> Iterator[None]:
    """While it is open torch may take its fastest ways, whatever `make_deterministic` said."""
    was = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was, warn_only=warns)
