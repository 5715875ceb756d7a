"""Below Table 1: what training gained, `sam_r1` over `base`, absolute and relative.

The paper's "surpasses the base model by 34.1%" cannot be derived from its tables; this gain is ours
and is not the same quantity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from samr1.config.names import BASE, METHOD
from samr1.core.errors import UserError
from samr1.report.tables.differences import Comparisons
from samr1.report.tables.layout import Addition, Record
from samr1.report.tables.markdown import EMPTY, aligned_table, interval, percent
from samr1.report.tables.measured import Measurements
from samr1.report.tables.right import LABELS, PROTOCOL, find_right

_METRICS = {"giou": "gIoU", "ciou": "cIoU"} | LABELS


def training_gain(
    benchmarks: Sequence[str],
    labels: Mapping[str, str],
    measurements: Measurements,
    comparisons: Comparisons,
) -> Addition:
    """The gain of `sam_r1` over `base` on `benchmarks`, by the names of `labels`.

    Without a paired comparison of the two its interval stays empty. Raises UserError where a run
    lacks a figure, or was scored on other samples than the other run.
    """

    def is_known(benchmark: str, metric: str) -> bool:
        return all(measurements.has(run, benchmark, metric) for run in (BASE, METHOD))

    found = [
        _gain(labels[benchmark], benchmark, metric, measurements, comparisons)
        for benchmark in benchmarks
        for metric in ("giou", "ciou", *find_right(benchmark, is_known))
    ]
    text = (
        f"Gain of `{METHOD}` over `{BASE}`, derived from what was measured here: in points, with "
        "its 95 % interval by a paired bootstrap over images (and over the seeds, where there are "
        "several), and relative to the base. The paper's "
        '"34.1%" cannot be derived from its tables and is not this quantity:'
    )
    header = ["Benchmark", f"`{BASE}`", f"`{METHOD}`", "gain", "95 % interval", "relative", "n"]
    rows, records = zip(*found, strict=True)
    return Addition((text, aligned_table(header, rows)), records)


def _gain(
    label: str, benchmark: str, metric: str, measurements: Measurements, comparisons: Comparisons
) -> tuple[list[str], Record]:
    """The gain in one metric, as a row of the table and of the data."""
    base = measurements.get(BASE, benchmark, PROTOCOL, metric)
    ours = measurements.get(METHOD, benchmark, PROTOCOL, metric)
    if base.n != ours.n:
        raise UserError(
            f"benchmark {benchmark!r}: run {BASE!r} was scored on {base.n} samples and run "
            f"{METHOD!r} on {ours.n}; predict and score both on the same samples."
        )
    gain = ours.value - base.value
    paired = comparisons.find(METHOD, BASE, benchmark, metric) or {}
    low, high = paired.get("ci_low"), paired.get("ci_high")
    row = [
        f"{label} {_METRICS[metric]}",
        percent(base.value),
        percent(ours.value),
        f"**{percent(gain, signed=True)}**",
        interval(low, high, signed=True),
        f"{percent(gain / base.value, signed=True)} %" if base.value else EMPTY,
        str(ours.n),
    ]
    record = {
        "row": f"Gain of {METHOD} over {BASE}",
        "run": METHOD,
        "benchmark": benchmark,
        "metric": f"{metric}_gain",
        "protocol": PROTOCOL,
        "measured": gain,
        "ci_low": low,
        "ci_high": high,
        "seeds": list(ours.seeds),
        "n": ours.n,
    }
    return row, record
