"""One table as Parquet and as a Markdown page: published columns, then measured columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from samr1.config.names import BASE
from samr1.config.published import Table, TableStage
from samr1.core.files import atomic_file, write_table
from samr1.report.tables.layout import (
    TABLE,
    UNPARSEABLE,
    Record,
    TableRow,
    arrange_rows,
    list_records,
    measure_rows,
)
from samr1.report.tables.markdown import EMPTY, aligned_table, link_to, measured_cell, percent
from samr1.report.tables.measured import Measurements
from samr1.report.tables.right import list_right

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
class Addition:
    """What a table says below its rows: Markdown blocks, and the same as rows of TABLE."""

    blocks: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()

    def __add__(self, other: Addition) -> Addition:
        return Addition(self.blocks + other.blocks, self.records + other.records)


def micro_note(scale: str) -> str:
    """The first line of a page whose measured figures are not comparable with published ones."""
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


def processor_note() -> str:
    """How far the drawn world's figures can be made again."""
    return (
        "The same bytes come from one model of processor alone: on another the last digits differ, "
        "a sampled token can flip, and a cell of one seed can move by 2–3 points (seen: 67.3 on "
        "one, 70.0 on another)."
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
    stage: TableStage, measurements: Measurements, addition: Addition, outputs: Outputs
) -> None:
    """Write a table to both outputs; raises UserError where a run lacks a figure."""
    table, name = stage.table, stage.name
    rows = arrange_rows(stage, measurements)
    measured = measure_rows(table, rows, measurements)
    right, right_records = list_right(table, stage.labels, rows, measurements)
    page = "\n".join(
        [
            *([micro_note(stage.scale), ""] if not stage.comparable else []),
            f"## {name.replace('_', ' ').capitalize()}. {table.title}",
            "",
            *_blocks(stage, rows, measured, outputs),
            *(f"{block.rstrip()}\n" for block in (*right, *addition.blocks)),
            checkpoint_note(stage.checkpoint) + f" {processor_note()}" * (not stage.comparable),
        ]
    )
    records = [*list_records(table, rows, measured), *right_records, *addition.records]
    empty = dict.fromkeys(TABLE.names) | {"table": name}
    metadata = {"table": name, "title": table.title, "scale": stage.scale}
    write_table(
        outputs.parquet,
        pa.Table.from_pylist([empty | record for record in records], TABLE),
        metadata | {"checkpoint": stage.checkpoint},
    )
    with atomic_file(outputs.markdown) as temporary:
        temporary.write_text(page.rstrip() + "\n", encoding="utf-8")


def _blocks(
    stage: TableStage, rows: Sequence[TableRow], measured: pd.Series, outputs: Outputs
) -> list[str]:
    table = stage.table
    main, *others = table.protocols
    order = " / ".join(stage.labels[name] for name in table.benchmarks)
    printed = _printed(table, rows)
    cells = {protocol: _measured(table, rows, measured, protocol) for protocol in table.protocols}
    blocks = [
        _markdown(printed.join(cells[main].reindex(printed.index).fillna(EMPTY))),
        f"All figures in percent. Measured: {seeds_note('seeds' in cells[main])}, greedy decoding, "
        f"protocol {_PROTOCOLS[main]}. Unparseable, n: {order}. "
        f"As data: {link_to(outputs.parquet, outputs.markdown)}.\n",
    ]
    for protocol in others:
        blocks += [
            f"The same predictions under the protocol {_PROTOCOLS[protocol]}:\n",
            _markdown(printed[["Method"]].join(cells[protocol], how="right")),
        ]
    return blocks + [f"{note.rstrip()}\n" for note in table.notes]


def _printed(table: Table, rows: Sequence[TableRow]) -> pd.DataFrame:
    """The rows' names, and what the paper printed."""
    shown = {f"paper {one.label}": key for key, one in table.columns.items()}
    frame = pd.DataFrame(
        {
            "Method": row.name,
            **{
                label: f"{row.published[key]:.1f}" if key in row.published else EMPTY
                for label, key in shown.items()
            },
        }
        for row in rows
    )
    return frame.loc[:, (frame != EMPTY).any()]


def _measured(
    table: Table, rows: Sequence[TableRow], measured: pd.Series, protocol: str
) -> pd.DataFrame:
    """What was measured under a protocol, by the row's place: a column a figure, as text."""
    wide = measured.xs(protocol, level="protocol").unstack(["metric", "benchmark"])
    frame = pd.DataFrame(
        {
            f"measured {one.label}": wide[one.metric, one.benchmark].map(
                measured_cell, na_action="ignore"
            )
            for one in table.columns.values()
            if one.metric
        }
    ).fillna(EMPTY)
    failed = wide[UNPARSEABLE][table.benchmarks]
    shares = failed.map(lambda one: percent(one.value), na_action="ignore").fillna(EMPTY)
    counts = failed.map(lambda one: str(one.n), na_action="ignore").fillna(EMPTY)
    frame["unparseable"] = shares.agg(" / ".join, axis=1)
    frame["n"] = counts.agg(" / ".join, axis=1)
    seeds = failed.bfill(axis=1).iloc[:, 0].map(lambda one: len(one.seeds))
    if (seeds > 1).any():
        of_base = [rows[place].run == BASE for place in seeds.index]
        frame["seeds"] = seeds.astype(str).mask(of_base, EMPTY)
    return frame


def _markdown(frame: pd.DataFrame) -> str:
    return aligned_table(list(frame.columns), frame.values.tolist())
