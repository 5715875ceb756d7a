"""One table as Parquet and as a Markdown page: published columns, then measured columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from samr1.config.merge import Experiment
from samr1.config.names import BASE
from samr1.config.published import Table, TableStage
from samr1.core.files import write_table, write_text
from samr1.report.tables.layout import (
    TABLE,
    UNPARSEABLE,
    Addition,
    TableRow,
    arrange_rows,
    list_records,
)
from samr1.report.tables.markdown import (
    EMPTY,
    aligned_table,
    join_blocks,
    link_to,
    measured_cell,
    name_table,
    percent,
)
from samr1.report.tables.measured import Measurements
from samr1.report.tables.right import list_right

_PROTOCOLS = {
    "seg_zero": "`seg_zero` (the paper's own: an answer that cannot be parsed counts as an empty "
    "mask, ignore pixels count as target)",
    "lisa": "`lisa` (ignore pixels are left out on both sides; an empty mask where nothing is to "
    "be found scores 1)",
    "rec": "`rec` (boxes; an answer that cannot be parsed scores 0)",
}
_CHECKPOINT = (
    "One checkpoint of each training for all tables (`checkpoint: last` of the scale): the weights "
    "after its last step, so that none is picked by its score."
)
_PROCESSORS = (
    " The same bytes come from one model of processor alone: on another the last digits differ, a "
    "sampled token can flip, and a cell moves as by another seed (seen: gIoU by 2.2 points in the "
    "median, by 6.7 at most)."
)


def warn_of_scale(of: TableStage | Experiment) -> list[str]:
    """The first block of a page whose figures are not comparable with published ones."""
    if of.comparable:
        return []
    if of.drawn:
        return [
            f"> **Micro world** (scale `{of.scale}`): measured figures are of the micro world and "
            "not comparable with published ones."
        ]
    return [f"> Scale `{of.scale}`: measured figures are not comparable with published ones."]


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
    stage: TableStage,
    measurements: Measurements,
    addition: Addition,
    parquet: Path,
    markdown: Path,
) -> list[str]:
    """Write a table as `parquet` and `markdown`; what that says, but for its scale's note.

    Raises UserError where a run lacks a figure.
    """
    table, name = stage.table, stage.name
    rows = arrange_rows(stage, measurements)
    below = list_right(table, stage.labels, rows, measurements) + addition
    blocks = [
        f"## {name_table(name)}. {table.title}",
        *_blocks(stage, rows, link_to(parquet, markdown)),
        *below.blocks,
        _CHECKPOINT + (_PROCESSORS if stage.drawn else ""),
    ]
    records = [*list_records(table, rows), *below.records]
    data = pa.Table.from_pylist([{"table": name, **record} for record in records], TABLE)
    metadata = {"table": name, "title": table.title, "scale": stage.scale}
    write_table(parquet, data, metadata | {"checkpoint": stage.checkpoint})
    write_text(markdown, join_blocks([*warn_of_scale(stage), *blocks]))
    return blocks


def _blocks(stage: TableStage, rows: Sequence[TableRow], data: str) -> list[str]:
    """The rows by each protocol, and how to read them; `data` links to the same as Parquet."""
    table = stage.table
    main, *others = table.protocols
    order = " / ".join(stage.labels[name] for name in table.benchmarks)
    several = any(_count_seeds(row) > 1 for row in rows)
    blocks = [
        _lay_out(
            {
                "Method": row.name,
                **_printed(table, rows, row),
                **_measured(table, row, main, several),
            }
            for row in rows
        ),
        f"All figures in percent. Measured: {seeds_note(several)}, greedy decoding, "
        f"protocol {_PROTOCOLS[main]}. Unparseable, n: {order}. As data: {data}.",
    ]
    for protocol in others:
        blocks += [
            f"The same predictions under the protocol {_PROTOCOLS[protocol]}:",
            _lay_out(
                {"Method": row.name} | _measured(table, row, protocol, several)
                for row in rows
                if row.run
            ),
        ]
    return [*blocks, *table.notes]


def _lay_out(lines: Iterable[Mapping[str, str]]) -> str:
    """Cells by their columns, as Markdown."""
    frame = pd.DataFrame(lines).fillna(EMPTY)
    return aligned_table(list(frame.columns), frame.values.tolist())


def _printed(table: Table, rows: Sequence[TableRow], row: TableRow) -> dict[str, str]:
    """What the paper printed in a row, of the columns in which it printed anything."""
    return {
        f"paper {column.label}": f"{row.published[key]:.1f}" if key in row.published else EMPTY
        for key, column in table.columns.items()
        if any(key in one.published for one in rows)
    }


def _measured(table: Table, row: TableRow, protocol: str, several: bool) -> dict[str, str]:
    """What was measured of a row's run under a protocol; nothing where it has none.

    Where a run of the table has `several` seeds, with their number.
    """
    if row.run is None:
        return {}
    cells = {
        f"measured {one.label}": measured_cell(
            row.measured.get((protocol, one.benchmark, one.metric))
        )
        for one in table.columns.values()
        if one.metric
    }
    failed = [row.measured.get((protocol, name, UNPARSEABLE)) for name in table.benchmarks]
    cells["unparseable"] = " / ".join(percent(one.value if one else None) for one in failed)
    cells["n"] = " / ".join(str(one.n) if one else EMPTY for one in failed)
    if several:
        cells["seeds"] = EMPTY if row.run == BASE else str(_count_seeds(row))
    return cells


def _count_seeds(row: TableRow) -> int:
    return max((len(one.seeds) for one in row.measured.values()), default=0)
