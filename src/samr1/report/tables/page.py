"""One table as Parquet and as a Markdown page: published columns, then measured columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from samr1.core.files import atomic_file, write_table
from samr1.report.tables.layout import (
    BASE,
    BENCHMARK_LABELS,
    TABLE,
    Measured,
    Record,
    TableRow,
    arrange_lines,
    line_records,
    table_benchmarks,
)
from samr1.report.tables.markdown import EMPTY, aligned_table, link_to, measured_cell, percent
from samr1.report.tables.measured import Measurements
from samr1.report.tables.published import Scale, Table

_PROTOCOLS = {
    "seg_zero": "`seg_zero` (the paper's own: an answer that cannot be parsed counts as an empty "
    "mask, ignore pixels count as target)",
    "lisa": "`lisa` (ignore pixels are left out on both sides; an empty mask where nothing is to "
    "be found scores 1)",
    "rec": "`rec` (boxes; an answer that cannot be parsed scores 0)",
}


_CHECKPOINTS = {"last": "the weights after its last step, so that none is picked by its score"}


@dataclass(frozen=True)
class Outputs:
    """Where a table goes."""

    parquet: Path
    markdown: Path


@dataclass(frozen=True)
class Setting:
    """What the measured figures are of: the scale, and which checkpoint of each training."""

    scale: Scale
    checkpoint: str  # as the scale file declares it


@dataclass(frozen=True)
class Addition:
    """What a table says below its rows: Markdown blocks, and the same as rows of TABLE."""

    blocks: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: Addition) -> Addition:
        return Addition(
            self.blocks + other.blocks,
            self.records + other.records,
            self.metadata | other.metadata,
        )


def micro_note(scale: Scale) -> str:
    """The first line of a page whose measured figures are not of the paper's scale."""
    return (
        f"> **Micro world** (scale `{scale}`): measured figures are of the micro world and not "
        "comparable with published ones."
    )


def checkpoint_note(checkpoint: str) -> str:
    """What a page says of the checkpoint that its figures are of."""
    return (
        f"One checkpoint of each training for all tables (`checkpoint: {checkpoint}` of the "
        f"scale): {_CHECKPOINTS[checkpoint]}."
    )


def seeds_note(several: bool) -> str:
    """How a measured cell is to be read."""
    if not several:
        return "**value**, [95 % bootstrap interval over images]"
    return (
        "**mean ± standard deviation** over seeds (no ± of a single one), [95 % interval over "
        "images and seeds: the images' noise as a seed's own bootstrap has it, and the seeds' as "
        "s / √k × Student's t with k − 1 degrees of freedom, for k seeds of standard deviation s]"
    )


def publish_table(
    name: str,
    table: Table,
    measurements: Measurements,
    setting: Setting,
    outputs: Outputs,
    addition: Addition,
    measured: Measured,
) -> None:
    """Write table `name` to both outputs; raises UserError where a run lacks a figure."""
    scale = setting.scale
    lines = arrange_lines(table, scale, measurements, measured)
    records = line_records(name, table, lines, measurements)
    rows = [*records, *({"table": name, **record} for record in addition.records)]
    page = "\n".join(
        [
            *([micro_note(scale), ""] if scale != "paper" else []),
            f"## {name.replace('_', ' ').capitalize()}. {table.title}",
            "",
            *_blocks(table, lines, measurements, outputs),
            *(f"{block.rstrip()}\n" for block in addition.blocks),
            checkpoint_note(setting.checkpoint),
        ]
    )
    data = pa.Table.from_pylist([{key: None for key in TABLE.names} | row for row in rows], TABLE)
    metadata = {"table": name, "title": table.title, **vars(setting), **addition.metadata}
    write_table(outputs.parquet, data, metadata)
    with atomic_file(outputs.markdown) as temporary:
        temporary.write_text(page.rstrip() + "\n", encoding="utf-8")


def _blocks(
    table: Table, lines: Sequence[TableRow], measurements: Measurements, outputs: Outputs
) -> list[str]:
    main, *others = table.protocols
    order = " / ".join(BENCHMARK_LABELS[name] for name in table_benchmarks(table))
    several = _several(table, lines, measurements)
    blocks = [
        _main_table(table, lines, measurements),
        f"All figures in percent. Measured: {seeds_note(several)}, greedy decoding, protocol "
        f"{_PROTOCOLS[main]}. Unparseable, n: {order}. "
        f"As data: {link_to(outputs.parquet, outputs.markdown)}.\n",
    ]
    for protocol in others:
        blocks += [
            f"The same predictions under the protocol {_PROTOCOLS[protocol]}:\n",
            _protocol_table(table, lines, measurements, protocol),
        ]
    return blocks + [f"{note.rstrip()}\n" for note in table.notes]


def _main_table(table: Table, lines: Sequence[TableRow], measurements: Measurements) -> str:
    printed = [key for key in table.columns if any(key in line.published for line in lines)]
    several = _several(table, lines, measurements)
    header = ["Method", *(f"paper {table.columns[key].label}" for key in printed)]
    rows = [
        [line.name, *(_printed_cell(line.published.get(key)) for key in printed)] for line in lines
    ]
    measured = [
        _measured_cells(table, line, measurements, table.protocols[0], several) for line in lines
    ]
    return aligned_table(
        [*header, *_measured_header(table, several)],
        [[*left, *right] for left, right in zip(rows, measured, strict=True)],
    )


def _protocol_table(
    table: Table, lines: Sequence[TableRow], measurements: Measurements, protocol: str
) -> str:
    several = _several(table, lines, measurements)
    rows = [
        [line.name, *_measured_cells(table, line, measurements, protocol, several)]
        for line in lines
        if line.run
    ]
    return aligned_table(["Method", *_measured_header(table, several)], rows)


def _printed_cell(figure: float | None) -> str:
    return EMPTY if figure is None else f"{figure:.1f}"


def _measured_header(table: Table, several: bool) -> list[str]:
    labels = [f"measured {c.label}" for c in table.columns.values() if c.metric]
    return [*labels, "unparseable", "n", *(["seeds"] if several else [])]


def _measured_cells(
    table: Table, line: TableRow, measurements: Measurements, protocol: str, several: bool
) -> list[str]:
    columns = [column for column in table.columns.values() if column.metric]
    if line.run is None:
        return [EMPTY] * (len(columns) + 2 + several)
    cells = [
        measured_cell(line.figure(measurements, column.benchmark, protocol, column.metric or ""))
        for column in columns
    ]
    failed = [
        line.figure(measurements, benchmark, protocol, "unparseable")
        for benchmark in table_benchmarks(table)
    ]
    unparseable = " / ".join(percent(figure.value if figure else None) for figure in failed)
    counts = " / ".join(str(figure.n) if figure else EMPTY for figure in failed)
    seeds = EMPTY if line.run == BASE else str(len(_seeds(line, table, measurements)))
    return [*cells, unparseable, counts, *([seeds] if several else [])]


def _several(table: Table, lines: Sequence[TableRow], measurements: Measurements) -> bool:
    return any(len(_seeds(line, table, measurements)) > 1 for line in lines if line.run)


def _seeds(line: TableRow, table: Table, measurements: Measurements) -> tuple[int, ...]:
    failed = (
        line.figure(measurements, benchmark, table.protocols[0], "unparseable")
        for benchmark in table_benchmarks(table)
    )
    return next((figure.seeds for figure in failed if figure), ())
