"""A plan of memory, disk and time as text: each figure with its arithmetic, in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

from samr1.config.schema import RunConfig
from samr1.planning.disk import Place
from samr1.planning.hours import ASSUMPTIONS
from samr1.planning.job import Estimate, Job, total
from samr1.planning.memory import Memory
from samr1.planning.rates import Rates


def memory_page(job: Job, memory: Memory, room: float, host: list[Estimate]) -> str:
    """The memory of one process, by what is always there and what each phase adds."""
    train, unit = job.train, "GPU" if job.cuda else "process"
    head = (
        f"Memory of a {unit}, calculated: training {job.stage.name}, {job.processes} "
        f"process{'es' * (job.processes > 1)}, ZeRO stage {train.zero_stage}"
        f"{', optimiser offloaded' * train.offload_optimizer}, {'adapters alone, ' * job.adapter}"
        f"{'' if train.gradient_checkpointing else 'no '}gradient checkpointing, "
        f"{job.questions} question{'s' * (job.questions > 1)} × {train.group_size} responses of up "
        f"to {train.max_response_tokens:,} tokens, {train.tokens_per_pass:,} tokens a pass"
    )
    one = total(host)
    beside = [
        *_bytes(host),
        ["a process", "", _gb(one)],
        ["all of them", f"{job.processes} × {_gb(one)} GB", _gb(job.processes * one)],
    ]
    return "\n\n".join(
        [
            f"{head} (GB = 10⁹ bytes)",
            *_fitting(memory, room),
            "Memory of the host, calculated, at most while the models are loaded",
            _table(["what", "arithmetic", "GB"], beside),
        ]
    )


def evaluation_page(run: RunConfig, memory: Memory, room: float) -> str:
    """The memory of one process that evaluates `run`."""
    head = (
        f"Memory of a {'GPU' if memory.cuda else 'process'}, calculated: evaluating {run.name}, "
        f"{run.evaluation.batch_size} answers at once (evaluation.batch_size) of up to "
        f"{run.evaluation.max_response_tokens:,} tokens"
    )
    return "\n\n".join([head, *_fitting(memory, room)])


def _fitting(memory: Memory, room: float) -> list[str]:
    """A table of what is always there and of what each phase adds; and whether it fits."""
    rows = [*_bytes(memory.states), ["always there", "", _gb(total(memory.states))]]
    for phase, estimates in memory.phases.items():
        more = [f"more in {phase}", "", _gb(total(estimates))]
        rows += [["", "", ""], *_bytes(estimates), more]
    rows += [
        ["", "", ""],
        *_bytes(memory.allowances),
        [f"at most, in {memory.peak_phase}", "", _gb(memory.needed)],
        ["there are", "", _gb(room)],
    ]
    verdict = "It fits." if memory.needed <= room else "It does not fit."
    return [_table(["what", "arithmetic", "GB"], rows), verdict]


def disk_page(places: Sequence[Place]) -> str:
    """What goes to each file system, and what is free there."""
    parts = ["Disk, calculated, one training at a time, as if nothing of the results were there"]
    for place in places:
        needed = [f"in all, at {place.folder}", "", _gb(place.needed)]
        rows = [*_bytes(place.written), needed, ["free there", "", _gb(place.free)]]
        parts.append(_table(["what", "arithmetic", "GB"], rows))
    return "\n\n".join(parts)


def time_page(step: Sequence[Estimate], hours: Sequence[Estimate], rates: Rates, gpus: int) -> str:
    """A training step by phases, and GPU hours by run, each with what it rests on."""
    whole, everything = rates.whole, total(hours)
    assumed = [*ASSUMPTIONS, *(rate.describe() for rate in rates.by_name.values())]
    seconds = [[one.what, one.sum, f"{one.amount:.1f}", one.basis] for one in step]
    rows = [[f"  {one.what}", one.sum, f"{one.amount:,.1f}", one.basis] for one in hours]
    rows += [
        ["in all", "", f"{everything:,.0f}", whole],
        ["hours, if all GPUs are busy", f"/ {gpus}", f"{everything / gpus:,.0f}", whole],
    ]
    return "\n\n".join(
        [
            f"Time of a training step on {rates.gpu}",
            _table(
                ["what", "arithmetic", "s", ""],
                [*seconds, ["a step", "", f"{total(step):.1f}", whole]],
            ),
            "GPU hours",
            _table(["what", "arithmetic", "GPU h", ""], rows),
            "What they rest on; `python -m samr1.cli.check_gpu` measures it on a card (--measured)",
            _table(["what", "value", "why"], assumed, False),
        ]
    )


def _bytes(estimates: Sequence[Estimate]) -> list[list[str]]:
    return [[f"  {one.what}", one.sum, _gb(one.amount)] for one in estimates]


def _gb(size: float) -> str:
    return f"{size / 1e9:,.2f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: bool = True) -> str:
    """Columns in line, the third set right where it holds numbers."""
    everything = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*everything, strict=True)]
    lines = []
    for row in everything:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if right:
            cells[2] = row[2].rjust(widths[2])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
