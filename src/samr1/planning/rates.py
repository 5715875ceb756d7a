"""What a GPU reaches: shares of its data sheet's figures, or what `check_gpu` measured on one.

The shares are assumptions. A rate that was measured replaces its own; the others stay calculated,
and the plan says of each which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field

from samr1.config.base import Frozen
from samr1.config.schema import parse_config
from samr1.core.errors import UserError
from samr1.core.reading import load_json


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

_MOST_BYTES = 4_000_000  # of a check_gpu.json; they have 60,000
_COMPUTE_SHARE = 0.35  # of the operations: forward and backward, plain torch kernels
_MEMORY_SHARE = 0.7  # of the bandwidth
_LINK_SHARE = 0.5  # of the link, and of the host's


class Rate(NamedTuple):
    """So much a second, or the seconds of one; `why` it is assumed, where it is not measured."""

    what: str
    value: float
    unit: str
    why: str
    measured: bool = False

    def describe(self) -> tuple[str, str, str]:
        """What it is, its value, and where that comes from, for a person."""
        value, why = f"{self.value / 1e9:,.0f} G{self.unit}", f"assumed: {self.why}"
        if self.unit in ("s", "ms"):
            value = f"{self.value * (1e3 if self.unit == 'ms' else 1):.3g} {self.unit}"
        return self.what, value, "measured" if self.measured else why


@dataclass(frozen=True)
class Rates:
    """What a GPU of that name reaches, by the rate's name."""

    gpu: str
    by_name: Mapping[str, Rate]

    def __getitem__(self, name: str) -> float:
        return self.by_name[name].value

    @property
    def whole(self) -> str:
        """What a whole training rests on: what goes between GPUs is always calculated."""
        measured = any(rate.measured for rate in self.by_name.values())
        return "calculated" + ", from measured rates" * measured

    def basis(self, *names: str) -> str:
        """Whether a figure that rests on the rates `names` is measured or calculated."""
        return "measured" if all(self.by_name[one].measured for one in names) else "calculated"


# The rates that a check of one card can tell.
Measurable = Literal["operations", "decoding", "optimizer", "image", "prompt"]
MEASURABLE: tuple[Measurable, ...] = get_args(Measurable)


class Measured(Frozen):
    """What `check_gpu` leaves for the plan."""

    card: Annotated[str, Field(pattern=r"^[ -~]{1,100}$")]
    values: dict[Measurable, Annotated[float, Field(gt=1e-9, lt=1e18)]]


def calculated(gpu: Gpu) -> Rates:
    """What is assumed of `gpu` until somebody has measured it."""
    computed, moved, sent = (
        f"{share:.0%} of the sheet" for share in (_COMPUTE_SHARE, _MEMORY_SHARE, _LINK_SHARE)
    )
    operations, memory = gpu.operations * _COMPUTE_SHARE, gpu.bandwidth * _MEMORY_SHARE
    link, host_link = gpu.link * _LINK_SHARE, 32e9 * _LINK_SHARE
    rates = {
        "operations": ("operations", operations, "FLOP/s", computed),  # forward and backward
        "decoding": ("bytes, decoding", memory, "B/s", moved),  # weights, keys and values
        "optimizer": ("bytes, AdamW", memory, "B/s", moved),
        "image": ("SAM: an image", 0.12, "ms", "Large, 1024×1024"),  # in float32
        "prompt": ("SAM: a prompt", 0.01, "ms", "mask at original size"),
        "link": ("bytes, between GPUs", link, "B/s", sent),
        "host": ("bytes, the host's AdamW", 50e9, "B/s", "where it is offloaded"),
        "host_link": ("bytes, to the host", host_link, "B/s", "half of PCIe 4"),
        "disk": ("bytes, checkpoints", 2e9, "B/s", "by all processes together"),
        "load": ("a job's start", 180.0, "s", "models from disk"),
    }
    return Rates(gpu.name, {name: Rate(*rate) for name, rate in rates.items()})


def with_measured(rates: Rates, card: str, values: Mapping[Any, float]) -> Rates:
    """`rates` with the `values` that were measured on `card`."""
    measured = {
        name: rates.by_name[name]._replace(value=value, measured=True)
        for name, value in values.items()
    }
    return Rates(card, {**rates.by_name, **measured})


def read_measured(file: Path, rates: Rates) -> Rates:
    """`rates` with what `check_gpu` wrote to `file`.

    Raises UserError where it is no such file, or holds no rate of a card.
    """
    remedy = "name the check_gpu.json that `python -m samr1.cli.check_gpu` wrote"
    found = load_json(file, _MOST_BYTES, remedy)
    if not isinstance(found, dict) or "rates" not in found:
        raise UserError(f"{file}: has no `rates`; {remedy}.")
    kept: dict[str, Any] = found["rates"]
    if not kept:
        raise UserError(f"{file}: holds no rate of a card; make it on a GPU, with --size 7b.")
    measured = parse_config(kept, Measured, f"{file}: rates")
    return with_measured(rates, measured.card, measured.values)
