"""The floor of a step: its operations and bytes, over the rates that this machine reaches."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from floor import count_step
from model import PATCH, model_config
from record import Measurement, Record, today
from setting import Setting, machine, make_parser, use_threads

# Bytes of the array that is copied: far beyond any cache.
_COPIED = 2**28


def matrix_rate(size: int, repeats: int) -> list[float]:
    """GFLOP/s of a float32 product of two size×size matrices, each repeat."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    a @ b
    return [2 * size**3 / _seconds(lambda: a @ b) / 1e9 for _ in range(repeats)]


def copy_rate(count: int, repeats: int) -> list[float]:
    """GB/s of a copy of `count` bytes, read and written, each repeat."""
    source = torch.ones(count // 4)
    target = torch.empty_like(source)
    target.copy_(source)
    return [2 * count / _seconds(lambda: target.copy_(source)) / 1e9 for _ in range(repeats)]


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measure(setting: Setting, steps: list[Record], size: int, copied: int) -> Record:
    """Both rates, and how far each measured step is from what it would take at them."""
    use_threads(setting.threads)
    rates = matrix_rate(size, 4 * setting.repeats), copy_rate(copied, 4 * setting.repeats)
    figures = [
        Measurement(f"product of two {size}×{size} float32 matrices", rates[0], "GFLOP/s"),
        Measurement("copy of a large array", rates[1], "GB/s"),
    ]
    config, patches = model_config(setting), (setting.image_size // PATCH) ** 2
    notes = {}
    for updates, step in enumerate(steps, start=1):
        work = count_step(
            config,
            step.notes["prompt_tokens"],
            patches,
            setting.group_size,
            setting.response_tokens,
            updates,
        )
        # The best rates that were seen: a floor must not move with the machine's other work.
        compute = work.operations / max(rates[0]) / 1e9
        memory = work.bytes / max(rates[1]) / 1e9
        name, measured = step.figures[0].figure, statistics.median(step.figures[0].ours)
        figures.append(Measurement(f"{name}: floor of its operations", [compute], "s"))
        figures.append(Measurement(f"{name}: floor of its bytes", [memory], "s"))
        figures.append(
            Measurement(f"{name}: times its floor", [measured / (compute + memory)], "×")
        )
        notes[name] = asdict(work) | {"operations": work.operations, "bytes": work.bytes}
    return Record("floor", figures, notes, machine(setting.threads), today())


def main() -> None:
    """Parse, measure, write."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--steps",
        type=Path,
        nargs="+",
        required=True,
        help="records of a step with one update, with two, …, of the same sizes (JSON)",
    )
    parser.add_argument("--size", type=int, default=2048, help="of the matrices")
    parser.add_argument("--copied", type=int, default=_COPIED, help="bytes of the array copied")
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    steps = [Record.read(path) for path in arguments.steps]
    record = measure(Setting.of(arguments), steps, arguments.size, arguments.copied)
    record.write(arguments.output)


if __name__ == "__main__":
    main()
