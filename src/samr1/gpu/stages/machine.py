"""The machine: card, versions, compiler, backends, and the rates that the rest is held against."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import torch

from samr1.core.device import ALLOCATOR
from samr1.gpu.findings import Finding, Findings, found, holds, not_measured
from samr1.gpu.setting import Setting
from samr1.gpu.timing import copy_rate, matrix_rate
from samr1.policy.attention import find_compiler

_PACKAGES = ("torch", "triton", "transformers", "deepspeed", "sam2", "peft", "numpy")


def look(setting: Setting) -> Findings:
    """What is there, and how fast it multiplies and copies."""
    yield from _hardware(setting)
    yield from _software()
    yield from _compiler()
    yield from _backends(setting)
    yield allocator(setting.device)
    yield from _rates(setting)


def _hardware(setting: Setting) -> Iterator[Finding]:
    if setting.cuda:
        card = torch.cuda.get_device_properties(setting.device)
        size = card.total_memory / 1e9
        yield found("machine.card", "card", card.name)
        yield found("machine.memory", "its memory", round(size, 2), "GB")
        yield found("machine.capability", "compute capability", f"{card.major}.{card.minor}")
        yield found("machine.processors", "multiprocessors", card.multi_processor_count)
    else:
        yield not_measured("machine.card", "card", "no CUDA: the CPU stands for the card")
    yield found("machine.cpus", "CPU cores", len(os.sched_getaffinity(0)))
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield found("machine.host_memory", "the host's memory", round(host / 1e9, 1), "GB")


def _software() -> Iterator[Finding]:
    yield found("machine.python", "Python", platform.python_version())
    for name in _PACKAGES:
        try:
            yield found(f"machine.{name}", name, version(name))
        except PackageNotFoundError:
            yield not_measured(f"machine.{name}", name, "not installed")
    yield found("machine.cuda", "CUDA of torch", torch.version.cuda or "none")
    cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
    yield found("machine.cudnn", "cuDNN", cudnn or "none")


def _compiler() -> Iterator[Finding]:
    path = find_compiler()
    if path is None:
        why = "none: FlexAttention cannot be compiled, and the two-call attention takes its place"
        yield not_measured("machine.compiler", "C compiler", why)
        return
    command = [*shlex.split(path), "--version"]
    if shutil.which(command[0]) is None:
        yield not_measured("machine.compiler", "C compiler", f"CC says {path}, which is not there")
        return
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout
    yield found("machine.compiler", "C compiler", next(iter(said.splitlines()), path))


def _backends(setting: Setting) -> Iterator[Finding]:
    if not setting.cuda:
        yield not_measured("machine.backends", "attention backends that are on")
        return
    backends = torch.backends.cuda
    switches = {
        "flash": backends.flash_sdp_enabled(),
        "memory-efficient": backends.mem_efficient_sdp_enabled(),
        "cuDNN": backends.cudnn_sdp_enabled(),
        "math": backends.math_sdp_enabled(),
    }
    on = ", ".join(name for name, switch in switches.items() if switch)
    yield found("machine.backends", "attention backends that are on", on)


def allocator(device: torch.device) -> Finding:
    """Whether torch allocates memory of a GPU as its environment says, which it reads only once."""
    key, what = "machine.allocator", f"torch's allocator has the settings of {ALLOCATOR[0]}"
    if device.type != "cuda":
        return holds(key, what, None)
    read = getattr(torch._C, "_accelerator_getAllocatorSettings", None)
    if read is None:
        return holds(key, what, None, "this torch does not say which it has")
    there = read()
    return holds(key, what, there in map(os.environ.get, ALLOCATOR), there or "none")


def _rates(setting: Setting) -> Iterator[Finding]:
    device = setting.device
    unit = "TFLOP/s"
    name = "matrix product, bfloat16"
    yield found("machine.matrix", name, matrix_rate(device) / 1e12, unit, "random numbers")
    rate = matrix_rate(device, torch.float32) / 1e12
    yield found("machine.matrix_float32", "matrix product, float32", rate, unit)
    if setting.cuda:
        torch.set_float32_matmul_precision("high")
        rate = matrix_rate(device, torch.float32) / 1e12
        torch.set_float32_matmul_precision("highest")
        yield found("machine.matrix_tf32", "matrix product, TF32", rate, unit)
    else:
        yield not_measured("machine.matrix_tf32", "matrix product, TF32")
    copied = copy_rate(device) / 1e9
    yield found("machine.copy", "copy in memory", copied, "GB/s", "bytes read and written")
