"""A plan of memory, disk and time as text: each sum with its arithmetic, in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samr1.planning.disk import Place
from samr1.planning.hours import ASSUMPTIONS, Phase
from samr1.planning.job import Job, MemoryItem, total
from samr1.planning.memory import Memory
from samr1.planning.rates import Rates, list_rates

Row = tuple[str, str, str]


@dataclass(frozen=True)
class Hours:
    """GPU hours of a scale's graph, and how they were calculated."""

    rates: Rates
    step: list[Phase]
    rows: list[Row]  # what, arithmetic, hours
    hours: float
    gpus: int


def memory_page(name: str, job: Job, memory: Memory, room: float, host: list[MemoryItem]) -> str:
    """The memory of one process, by what is always there and what each phase adds."""
    unit = "GPU" if job.cuda else "process"
    head = (
        f"Memory of a {unit}: training {name}, {job.processes} "
        f"process{'es' * (job.processes > 1)}, ZeRO stage {job.zero_stage}"
        f"{', optimiser offloaded' * job.offload}, {'adapters alone, ' * job.adapter}"
        f"{'' if job.gradient_checkpointing else 'no '}gradient checkpointing, "
        f"{job.questions} question{'s' * (job.questions > 1)} × {job.group_size} responses of up "
        f"to {job.response_tokens:,} tokens, {job.tokens_per_pass:,} tokens a pass"
    )
    rows = _rows(memory.states)
    rows.append(("always there", "", _gb(total(memory.states))))
    for phase, lines in memory.phases.items():
        rows += [("", "", ""), *_rows(lines)]
        rows.append((f"more in {phase}", "", _gb(total(lines))))
    rows += [("", "", ""), *_rows(memory.allowances)]
    rows.append((f"at most, in {memory.peak_phase}", "", _gb(memory.needed)))
    rows.append(("there are", "", _gb(room)))
    fits = "It fits." if memory.needed <= room else "It does not fit."
    one = total(host)
    beside = [
        *_rows(host),
        ("a process", "", _gb(one)),
        ("all of them", f"{job.processes} × {_gb(one)} GB", _gb(job.processes * one)),
    ]
    return "\n\n".join(
        [
            f"{head} (GB = 10⁹ bytes)",
            _table([("what", "arithmetic", "GB"), *rows]),
            fits,
            "Memory of the host, at most while the models are loaded",
            _table([("what", "arithmetic", "GB"), *beside]),
        ]
    )


def disk_page(places: Sequence[Place]) -> str:
    """What goes to each file system, and what is free there."""
    parts = ["Disk, one training at a time, as if nothing of the results were there"]
    for place in places:
        rows = [*_rows(place.lines), (f"in all, at {place.folder}", "", _gb(place.needed))]
        rows.append(("free there", "", _gb(place.free)))
        parts.append(_table([("what", "arithmetic", "GB"), *rows]))
    return "\n\n".join(parts)


def time_page(hours: Hours) -> str:
    """A training step by phases, and the GPU hours of the graph, each with what it rests on."""
    seconds = sum(phase.seconds for phase in hours.step)
    step = [(phase.what, phase.sum, f"{phase.seconds:.1f}", phase.basis) for phase in hours.step]
    # Of several GPUs something is always calculated: what goes between them.
    whole = "calculated" + ", from measured rates" * bool(hours.rates.measured)
    wall = hours.hours / hours.gpus
    return "\n\n".join(
        [
            f"Time of a training step on {hours.rates.gpu}",
            _table(
                [("what", "arithmetic", "s", ""), *step, ("a step", "", f"{seconds:.1f}", whole)]
            ),
            "GPU hours",
            _table(
                [
                    ("what", "arithmetic", "GPU h", ""),
                    *((*row, whole) for row in hours.rows),
                    ("in all", "", f"{hours.hours:,.0f}", whole),
                    ("hours, if all GPUs are busy", f"/ {hours.gpus}", f"{wall:,.0f}", whole),
                ]
            ),
            "What they rest on; `python -m samr1.cli.check_gpu` measures it on a card (--measured)",
            _table(
                [("what", "value", "why"), *ASSUMPTIONS, *list_rates(hours.rates).values()],
                right=False,
            ),
        ]
    )


def _rows(lines: Sequence[MemoryItem]) -> list[Row]:
    return [(f"  {line.what}", line.sum, _gb(line.bytes)) for line in lines]


def _gb(size: float) -> str:
    return f"{size / 1e9:,.2f}"


def _table(rows: Sequence[Sequence[str]], right: bool = True) -> str:
    """Columns in line, the third set right where it holds numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if right:
            cells[2] = row[2].rjust(widths[2])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
