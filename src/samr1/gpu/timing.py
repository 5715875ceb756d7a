"""Seconds of work on a device, and the rates that its own work is held against."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import torch

# Far beyond any cache: the bytes of the array that is copied, and the side of the matrices.
_COPIED = {"cuda": 2**31, "cpu": 2**26}
_SIDE = {"cuda": 8192, "cpu": 512}
_REPEATS = 10


def synchronize(device: torch.device) -> None:
    """Wait until everything that was asked of `device` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """The seconds of one call of `work`, its kernels included."""
    synchronize(device)
    begin = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - begin


def median_seconds(
    work: Callable[[], object], device: torch.device, repeats: int, warm: int = 1
) -> float:
    """The median of `repeats` calls after `warm` others."""
    for _ in range(warm):
        work()
    return statistics.median(seconds_of(work, device) for _ in range(repeats))


def matrix_rate(device: torch.device, dtype: torch.dtype = torch.bfloat16) -> float:
    """Operations a second of one large product of two square matrices of random numbers."""
    side = _SIDE[device.type]
    # Random: a card that multiplies zeros draws less power and runs faster.
    first, second = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    product = torch.empty_like(first)
    seconds = median_seconds(lambda: torch.mm(first, second, out=product), device, _REPEATS, warm=3)
    return 2 * side**3 / seconds


def copy_rate(device: torch.device) -> float:
    """Bytes a second, read and written, of one large copy in the device's memory."""
    source = torch.ones(_COPIED[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), device, _REPEATS, warm=3)
    return 2 * source.numel() / seconds


def release(device: torch.device) -> None:
    """Give back the memory of what is no longer used, and begin a new count of the peak."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
