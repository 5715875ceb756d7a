"""What a GPU reaches: shares of its data sheet's figures, or what `check_gpu` measured on one.

The shares are assumptions. A rate that was measured replaces its own; the others stay calculated,
and the plan says of each which it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from samr1.core.errors import UserError


@dataclass(frozen=True)
class Gpu:
    """Dense bfloat16 operations and bytes of memory a second, bytes to others, GB of memory."""

    name: str
    operations: float
    bandwidth: float
    link: float
    gigabytes: float


# NVIDIA's data sheets: dense bfloat16, memory, NVLink or PCIe in one direction.
GPUS = {
    "a100": Gpu("A100 SXM 80 GB", 312e12, 2.039e12, 300e9, 80),
    "h100": Gpu("H100 SXM 80 GB", 989e12, 3.35e12, 450e9, 80),
    "h200": Gpu("H200 SXM 141 GB", 989e12, 4.8e12, 450e9, 141),
    "a6000": Gpu("RTX A6000 48 GB", 155e12, 0.768e12, 32e9, 48),
    "l40s": Gpu("L40S 48 GB", 362e12, 0.864e12, 32e9, 48),
}

_COMPUTE_SHARE = 0.35  # of the operations: forward and backward, plain torch kernels
_MEMORY_SHARE = 0.7  # of the bandwidth
_LINK_SHARE = 0.5  # of the link, and of the host's


@dataclass(frozen=True)
class Rates:
    """Per second of one GPU, or seconds of one; `measured` are the names of those that were."""

    gpu: str
    operations: float  # in forward and backward passes, a second
    decoding: float  # bytes a second: weights, keys and values, read for every token
    optimizer: float  # bytes a second: what AdamW reads and writes
    launch: float  # seconds a layer of a decoding step that is launched kernel by kernel
    image: float  # seconds that SAM takes to embed an image
    prompt: float  # seconds that SAM takes for a prompt, its mask at the original's size
    link: float  # bytes a second to the other GPUs
    host: float  # bytes a second that AdamW reads and writes where it is offloaded
    host_link: float  # bytes a second to or from the host
    disk: float  # bytes a second that a training's processes together write to the results
    load: float  # seconds from the disk to the GPU, once a job
    measured: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """The same of a whole training: what goes between GPUs is always calculated."""
        return "calculated" + ", from measured rates" * bool(self.measured)

    def basis(self, *names: str) -> str:
        """Whether a figure that rests on the rates `names` is measured or calculated."""
        return "measured" if set(names) <= set(self.measured) else "calculated"


# The rates that a check of one card can tell.
MEASURABLE = ("operations", "decoding", "optimizer", "launch", "image", "prompt")


def calculated(gpu: Gpu) -> Rates:
    """What is assumed of `gpu` until somebody has measured it."""
    return Rates(
        gpu=gpu.name,
        operations=gpu.operations * _COMPUTE_SHARE,
        decoding=gpu.bandwidth * _MEMORY_SHARE,
        optimizer=gpu.bandwidth * _MEMORY_SHARE,
        launch=0.8e-3,
        image=0.12,  # Large at 1024×1024 in float32
        prompt=0.01,
        link=gpu.link * _LINK_SHARE,
        host=50e9,
        host_link=32e9 * _LINK_SHARE,  # PCIe 4
        disk=2e9,
        load=180.0,
    )


def with_measured(rates: Rates, card: str, values: Mapping[str, float]) -> Rates:
    """`rates` with the `values` that were measured on `card`."""
    return replace(rates, gpu=card, measured=tuple(values), **values)


def read_measured(file: Path, rates: Rates) -> Rates:
    """`rates` with what `check_gpu` wrote to `file`.

    Raises UserError where it is no such file, or holds no rate of a card.
    """
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        kept = content["rates"]
        card, values = kept.get("card"), dict(kept.get("values", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file}: is no check_gpu.json that can be read ({error!r}); name the one that "
            "`python -m samr1.cli.check_gpu` wrote."
        ) from error
    if not isinstance(card, str) or not values:
        raise UserError(f"{file}: holds no rate of a card; make it on a GPU, with --size 7b.")
    for name, value in values.items():
        number = isinstance(value, (int, float)) and math.isfinite(value) and value > 0
        if name not in MEASURABLE or not number:
            raise UserError(
                f"{file}: its rate {name} is {value!r}; the rates are {', '.join(MEASURABLE)}, "
                "and numbers above 0."
            )
    return with_measured(rates, card, values)


def list_rates(rates: Rates) -> dict[str, tuple[str, str, str]]:
    """Each rate in words, by its name: what it is, its value, and where it comes from."""
    sheet = "{:.0%} of the sheet".format
    memory, milliseconds = sheet(_MEMORY_SHARE), "{:.3g} ms".format
    shown = {
        "operations": ("operations", _per_second(rates.operations, "FLOP"), sheet(_COMPUTE_SHARE)),
        "decoding": ("bytes, decoding", _per_second(rates.decoding), memory),
        "optimizer": ("bytes, AdamW", _per_second(rates.optimizer), memory),
        "launch": ("a layer, launched", milliseconds(1e3 * rates.launch), "with ZeRO 3 alone"),
        "image": ("SAM: an image", milliseconds(1e3 * rates.image), "Large, 1024×1024"),
        "prompt": ("SAM: a prompt", milliseconds(1e3 * rates.prompt), "mask at original size"),
        "link": ("bytes, between GPUs", _per_second(rates.link), sheet(_LINK_SHARE)),
        "host": ("bytes, the host's AdamW", _per_second(rates.host), "where it is offloaded"),
        "host_link": ("bytes, to the host", _per_second(rates.host_link), "half of PCIe 4"),
        "disk": ("bytes, checkpoints", _per_second(rates.disk), "by all processes together"),
        "load": ("a job's start", f"{rates.load:g} s", "models from disk"),
    }
    return {
        name: (what, value, "measured" if name in rates.measured else f"assumed: {why}")
        for name, (what, value, why) in shown.items()
    }


def _per_second(rate: float, unit: str = "B") -> str:
    return f"{rate / 1e9:,.0f} G{unit}/s"
