"""Differences between runs with their intervals, and which of them are more than noise.

A table makes many comparisons, and of twenty differences that are nothing but noise one leaves its
95 % interval. So a table's marks are corrected together, by Holm's method: with 95 % probability
none of the marks of a table is noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from samr1.config.published import Column, Table
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.core.schemas import COMPARISONS
from samr1.report.tables.layout import Addition, Record
from samr1.report.tables.markdown import EMPTY, aligned_table, interval, percent
from samr1.report.tables.right import right_columns

LEVEL = 0.05
_PROTOCOLS = ("seg_zero", "rec")  # the main one of masks, and that of boxes
_UP, _DOWN = "▲", "▼"

Row = dict[str, Any]  # one row of COMPARISONS
Pair = tuple[str, str, str]  # name, run, baseline


class Comparisons:
    """The rows of several files of paired comparisons, looked up by run, baseline and column."""

    def __init__(self, rows: Sequence[Row], protocols: Sequence[str] = _PROTOCOLS) -> None:
        """Take rows of COMPARISONS; the later of two for the same figure is the one that counts.

        Gains are looked up under the first of `protocols` that has them.
        """
        self._protocols = protocols
        names = ("run", "baseline", "benchmark", "metric", "protocol")
        self._rows = {tuple(row[name] for name in names): row for row in rows}

    @classmethod
    def read(cls, files: Sequence[Path]) -> Comparisons:
        """Read files of compare_runs; raises UserError where one is missing or no such table."""
        return cls([row for path in files for row in read_table(path, COMPARISONS).to_pylist()])

    def find(self, run: str, baseline: str, benchmark: str, metric: str | None) -> Row | None:
        """The gain under the main protocol, None where nobody compared.

        Two runs that were compared the other way round are read so: what a table and a claim say of
        them comes of the same draws.
        """
        for protocol in self._protocols:
            if found := self._rows.get((run, baseline, benchmark, metric, protocol)):
                return found
            if found := self._rows.get((baseline, run, benchmark, metric, protocol)):
                return _turned(found)
        return None


def _turned(row: Row) -> Row:
    """A comparison as the loss of the other run."""
    ends = {"value": -row["value"], "ci_low": -row["ci_high"], "ci_high": -row["ci_low"]}
    return row | ends | {"run": row["baseline"], "baseline": row["run"]}


def correct(rows: Sequence[Row]) -> list[float]:
    """Holm's corrected p-values of differences that are looked at together, in their order."""
    p = np.array([row["p"] for row in rows])
    order = p.argsort(kind="stable")
    corrected = np.ones(len(p))
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(corrected, 1.0).tolist()


def table_pairs(table: Table) -> list[Pair]:
    """Each run that `table` holds against its baseline."""
    baseline = table.compared_with
    if baseline is None:
        return []
    return [(name, run, baseline) for run, name in table.labels.items() if run != baseline]


def table_differences(
    table: Table, labels: Mapping[str, str], comparisons: Comparisons
) -> Addition:
    """Each run of `table` against its baseline; raises UserError where a row's is not compared."""
    pairs, rows = table_pairs(table), [row.run for row in table.rows]
    for _, run, baseline in pairs:
        for one in table.columns.values():
            found = comparisons.find(run, baseline, one.benchmark, one.metric)
            if run in rows and one.metric and found is None:
                raise UserError(
                    f"no comparison of run {run!r} with {baseline!r} in {one.metric} on "
                    f"{one.benchmark!r} among the comparisons; compare the two and give that."
                )
    return list_table_differences(table, labels, pairs, comparisons)


def list_table_differences(
    table: Table, labels: Mapping[str, str], pairs: Sequence[Pair], comparisons: Comparisons
) -> Addition:
    """A row for each of `pairs` in the columns of `table`.

    Where it tells *what* and *how* apart, the same of these, marked among themselves.
    """

    def has(benchmark: str, metric: str) -> bool:
        found = [comparisons.find(run, other, benchmark, metric) for _, run, other in pairs]
        return any(one is not None for one in found)

    columns = [column for column in table.columns.values() if column.metric]
    right = right_columns(table.benchmarks, labels, has) if table.right else []
    lead = "The same of *what* and *how* apart, corrected among themselves where they are marked:"
    return list_differences(columns, pairs, comparisons) + list_differences(
        right, pairs, comparisons, lead
    )


def list_differences(
    columns: Sequence[Column],
    pairs: Sequence[Pair],
    comparisons: Comparisons,
    lead: str | None = None,
) -> Addition:
    """A row for each of `pairs`; those of several seeds are marked together.

    `lead` stands above the rows in the place of how to read them.

    A difference of one seed is of two trained policies and not of their settings, so it is never
    marked: a mark is read as a finding.
    """
    found = {
        (run, baseline, place): row
        for _, run, baseline in pairs
        for place, column in enumerate(columns)
        if (row := comparisons.find(run, baseline, column.benchmark, column.metric)) is not None
    }
    if not found:
        return Addition()
    several = {key: row for key, row in found.items() if len(row["seeds"]) > 1}
    corrected = dict(zip(several, correct(list(several.values())), strict=True))
    lines, records = [], []
    for name, run, baseline in pairs:
        keys = [(run, baseline, place) for place in range(len(columns))]
        cells = [_cell(found[key], corrected.get(key)) if key in found else EMPTY for key in keys]
        records += [_record(name, found[key], corrected.get(key)) for key in keys if key in found]
        seeds = [len(found[key]["seeds"]) for key in keys if key in found]
        count = str(min(seeds)) if seeds else EMPTY
        lines.append([f"{name} − `{baseline}`", *cells, count])
    header = ["Difference, points", *(column.label for column in columns), "seeds"]
    text = lead or _explanation(len(several), len(found) - len(several))
    return Addition((text, aligned_table(header, lines)), tuple(records))


def _cell(row: Row, corrected: float | None) -> str:
    marked = corrected is not None and corrected <= LEVEL
    mark = f" {_UP if row['value'] > 0 else _DOWN}" if marked else ""
    bounds = interval(row["ci_low"], row["ci_high"], signed=True)
    return f"**{percent(row['value'], signed=True)}** {bounds}{mark}"


def _record(name: str, row: Row, corrected: float | None) -> Record:
    shared = ("run", "benchmark", "protocol", "ci_low", "ci_high", "sd_over_seeds", "seeds", "n")
    return {
        **{key: row[key] for key in shared},
        "row": f"{name} − {row['baseline']}",
        "metric": f"{row['metric']}_difference",
        "measured": row["value"],
        "p_corrected": corrected,
    }


def _explanation(several: int, single: int) -> str:
    """How to read so many differences of several seeds, and so many of a single one."""
    text = (
        "Differences, protocol `seg_zero`: **difference** [95 % interval, by a paired bootstrap "
        "over images]"
    )
    if several:
        count = "one difference" if several == 1 else f"these {several} differences"
        text += (
            "; pairs are of the same seed, the difference is their mean, and to every resample "
            "draws of the seeds' noise are added, s / √k × Student's t with k − 1 degrees of "
            f"freedom, for k pairs of standard deviation s. {_UP} better and {_DOWN} worse by more "
            f"than noise: p ≤ {LEVEL} after Holm's correction for {count}, so that in a table of "
            "pure noise there is any mark at all in one of twenty. Without a mark a difference may "
            "be noise"
        )
    if single:
        text += (
            ". A difference of a single seed is about two trained policies and not about their "
            "settings, which another seed could turn round, so none is marked as more than noise "
            "(`snakemake studies` has several seeds)"
        )
    return f"{text}."
