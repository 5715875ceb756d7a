"""Differences between runs with their intervals, and which of them are more than noise.

A table makes many comparisons, and of twenty differences that are nothing but noise one leaves its
95 % interval. So a table's marks are corrected together, by Holm's method: with 95 % probability
none of the marks of a table is noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.core.schemas import COMPARISONS
from samr1.report.tables.layout import Record
from samr1.report.tables.markdown import EMPTY, aligned_table, interval, percent
from samr1.report.tables.page import Addition
from samr1.report.tables.published import Column, Table

LEVEL = 0.05
METHOD = "sam_r1"
_PROTOCOL = "seg_zero"
_UP, _DOWN = "▲", "▼"

Row = dict[str, Any]  # one row of COMPARISONS


class Comparisons:
    """The rows of several files of paired comparisons, looked up by run, baseline and column."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Take rows of COMPARISONS; the later of two for the same figure is the one that counts."""
        names = ("run", "baseline", "benchmark", "metric", "protocol")
        self._rows = {tuple(row[name] for name in names): row for row in rows}

    @classmethod
    def read(cls, files: Sequence[Path]) -> Comparisons:
        """Read files of compare_runs; raises UserError where one is missing or no such table."""
        paths = dict.fromkeys(files)
        return cls([row for path in paths for row in read_table(path, COMPARISONS).to_pylist()])

    def find(self, run: str, baseline: str, column: Column) -> Row | None:
        """The gain in a column under the main protocol, None where nobody compared."""
        return self._rows.get((run, baseline, column.benchmark, column.metric, _PROTOCOL))


def correct(rows: Sequence[Row]) -> list[float]:
    """Holm's corrected p-values of differences that are looked at together, in their order."""
    order = sorted(range(len(rows)), key=lambda i: rows[i]["p"])
    corrected, highest = [1.0] * len(rows), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * rows[i]["p"]))
        corrected[i] = highest
    return corrected


def method_pairs(table: Table) -> list[tuple[str, str, str]]:
    """(name, run, `sam_r1`) of each other run of `table`."""
    rows = {row.measured_as or row.method: row.run for row in table.rows}
    return [(name, run, METHOD) for name, run in rows.items() if run and run != METHOD]


def differences_from_method(table: Table, comparisons: Comparisons) -> Addition:
    """Each run of `table` against `sam_r1`; raises UserError where one is not compared."""
    pairs = method_pairs(table)
    for _, run, baseline in pairs:
        for column in table.columns.values():
            if comparisons.find(run, baseline, column) is None:
                raise UserError(
                    f"no comparison of run {run!r} with {baseline!r} in {column.metric} on "
                    f"{column.benchmark!r} among the comparisons; compare the two and give that."
                )
    return list_differences(table.columns.values(), pairs, comparisons)


def list_differences(
    columns: Iterable[Column], pairs: Sequence[tuple[str, str, str]], comparisons: Comparisons
) -> Addition:
    """A row for each of `pairs` (name, run, baseline), corrected and marked together."""
    columns = list(columns)
    found = {
        (run, baseline, place): row
        for _, run, baseline in pairs
        for place, column in enumerate(columns)
        if (row := comparisons.find(run, baseline, column)) is not None
    }
    if not found:
        return Addition()
    corrected = dict(zip(found, correct(list(found.values())), strict=True))
    lines, records = [], []
    for name, run, baseline in pairs:
        keys = [(run, baseline, place) for place in range(len(columns))]
        cells = [_cell(found[key], corrected[key]) if key in found else EMPTY for key in keys]
        records += [_record(name, found[key], corrected[key]) for key in keys if key in found]
        seeds = [len(found[key]["seeds"]) for key in keys if key in found]
        count = str(min(seeds)) if seeds else EMPTY
        lines.append([f"{name} − `{baseline}`", *cells, count])
    header = ["Difference, points", *(column.label for column in columns), "seeds"]
    text = _explanation(list(found.values()))
    return Addition((f"{text}\n", aligned_table(header, lines)), tuple(records))


def _cell(row: Row, corrected: float) -> str:
    mark = "" if corrected > LEVEL else f" {_UP if row['value'] > 0 else _DOWN}"
    bounds = interval(row["ci_low"], row["ci_high"], signed=True)
    return f"**{percent(row['value'], signed=True)}** {bounds}{mark}"


def _record(name: str, row: Row, corrected: float) -> Record:
    shared = ("run", "benchmark", "protocol", "ci_low", "ci_high", "sd_over_seeds", "seeds", "n")
    return {
        **{key: row[key] for key in shared},
        "row": f"{name} − {row['baseline']}",
        "metric": f"{row['metric']}_difference",
        "measured": row["value"],
        "p_corrected": corrected,
    }


def _explanation(rows: Sequence[Row]) -> str:
    several = any(len(row["seeds"]) > 1 for row in rows)
    one = any(len(row["seeds"]) == 1 for row in rows)
    count = "one difference" if len(rows) == 1 else f"these {len(rows)} differences"
    text = (
        "Differences, protocol `seg_zero`: **difference** [95 % interval, by a paired bootstrap "
        "over images]"
    )
    if several:
        text += (
            "; pairs are of the same seed, the difference is their mean, and to every resample a "
            "draw of the seeds' noise is added, s / √k × Student's t with k − 1 degrees of "
            "freedom, for k pairs of standard deviation s"
        )
    text += (
        f". {_UP} better and {_DOWN} worse by more than noise: p ≤ {LEVEL} after Holm's correction "
        f"for {count}, so that in a table of pure noise there is any mark at all in one of twenty. "
        "Without a mark a difference may be noise."
    )
    if one:
        text += (
            " Of a single seed the mark is about these two trained policies, not about their "
            "settings: another seed could turn it round (`snakemake studies` has several)."
        )
    return text
