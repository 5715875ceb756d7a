"""Below Table 2: the same figures with one sentence a ref and with every sentence.

The two lines of work that print them ask another number of questions under one name.
"""

from __future__ import annotations

from collections.abc import Mapping

from samr1.config.names import BASE, METHOD
from samr1.config.published import Table
from samr1.report.tables.layout import Addition, Record, measured_record
from samr1.report.tables.markdown import aligned_table, measured_cell
from samr1.report.tables.measured import Measurements
from samr1.report.tables.right import PROTOCOL

_TEXT = (
    "Both ways of asking, for they are printed under one name. **First**: one sentence a ref, its "
    "first, by the protocol `seg_zero`, as in the rows above; compare it with Seg-Zero's line of "
    "work, whose sets have one sentence a ref: Seg-Zero and SAM-R1. **Every**: each sentence of "
    "each ref, in small letters, by the protocol `lisa`; compare it with the work that asks so: "
    "LAVT, ReLA and LISA. Objects that people described more often count more often then:"
)


def list_sentences(table: Table, labels: Mapping[str, str], measurements: Measurements) -> Addition:
    """The columns of `table` that name a benchmark of every sentence, on both, of two runs.

    Raises UserError where one of the figures is missing.
    """
    lines, records = [], list[Record]()
    for key, every in table.every_sentence.items():
        column = table.columns[key]
        for asked, benchmark, protocol in (
            ("first", column.benchmark, PROTOCOL),
            ("every", every, "lisa"),
        ):
            found = {
                run: measurements.get(run, benchmark, protocol, column.metric)
                for run in (BASE, METHOD)
            }
            cells = [measured_cell(one) for one in found.values()]
            lines.append([column.label, asked, *cells, str(found[BASE].n)])
            if asked == "every":  # the others are the table's own
                records += [
                    measured_record(labels[benchmark], run, benchmark, column.metric, protocol, one)
                    for run, one in found.items()
                ]
    header = ["Figure", "sentences", f"`{BASE}`", f"`{METHOD}`", "n"]
    return Addition((_TEXT, aligned_table(header, lines)), tuple(records))
