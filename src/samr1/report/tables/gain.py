"""Below Table 1: what training gained, `sam_r1` over `base`, absolute and relative.

The paper's "surpasses the base model by 34.1%" cannot be derived from its tables; this gain is ours
and is not the same quantity.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.core.schemas import COMPARISONS
from samr1.report.tables.layout import BASE, BENCHMARK_LABELS, Record
from samr1.report.tables.markdown import EMPTY, aligned_table, interval, percent
from samr1.report.tables.measured import Measurements
from samr1.report.tables.page import Addition

_RUN = "sam_r1"
_PROTOCOL = "seg_zero"
_BENCHMARKS = ("reasonseg_val", "reasonseg_test", "refcocog_test")
_METRICS = {"giou": "gIoU", "ciou": "cIoU"}

Bounds = tuple[float, float]


def training_gain(measurements: Measurements, comparisons: Sequence[Path]) -> Addition:
    """The gain of `sam_r1` over `base` on ReasonSeg and RefCOCOg, with the intervals given.

    `comparisons` are paired comparisons of the two runs (cli `compare_runs`); without one for a
    figure its interval stays empty. Raises UserError where a run lacks a figure, or was scored on
    other samples than the other run.
    """
    paired = _read_comparisons(comparisons)
    records = [
        _gain_record(measurements, benchmark, metric, paired.get((benchmark, metric)))
        for benchmark in _BENCHMARKS
        for metric in _METRICS
    ]
    rows = [_gain_row(measurements, record) for record in records]
    text = (
        f"Gain of `{_RUN}` over `{BASE}`, derived from what was measured here: in points, with its "
        "95 % interval by a paired bootstrap over images (and over the seeds, where there are "
        "several), and relative to the base. The paper's "
        '"34.1%" cannot be derived from its tables and is not this quantity:'
    )
    header = ["Benchmark", f"`{BASE}`", f"`{_RUN}`", "gain", "95 % interval", "relative", "n"]
    return Addition(blocks=(f"{text}\n", aligned_table(header, rows)), records=tuple(records))


def _gain_record(
    measurements: Measurements, benchmark: str, metric: str, bounds: Bounds | None
) -> Record:
    base = measurements.get(BASE, benchmark, _PROTOCOL, metric)
    ours = measurements.get(_RUN, benchmark, _PROTOCOL, metric)
    if base.n != ours.n:
        raise UserError(
            f"benchmark {benchmark!r}: run {BASE!r} was scored on {base.n} samples and run "
            f"{_RUN!r} on {ours.n}; predict and score both on the same samples."
        )
    low, high = bounds or (None, None)
    return {
        "row": f"Gain of {_RUN} over {BASE}",
        "run": _RUN,
        "benchmark": benchmark,
        "metric": f"{metric}_gain",
        "protocol": _PROTOCOL,
        "measured": ours.value - base.value,
        "ci_low": low,
        "ci_high": high,
        "seeds": list(ours.seeds),
        "n": ours.n,
    }


def _gain_row(measurements: Measurements, record: Record) -> list[str]:
    benchmark, metric = record["benchmark"], record["metric"].removesuffix("_gain")
    base = measurements.get(BASE, benchmark, _PROTOCOL, metric).value
    ours = measurements.get(_RUN, benchmark, _PROTOCOL, metric).value
    gain = record["measured"]
    return [
        f"{BENCHMARK_LABELS[benchmark]} {_METRICS[metric]}",
        percent(base),
        percent(ours),
        f"**{percent(gain, signed=True)}**",
        interval(record["ci_low"], record["ci_high"], signed=True),
        f"{percent(gain / base, signed=True)} %" if base else EMPTY,
        str(record["n"]),
    ]


def _read_comparisons(files: Sequence[Path]) -> dict[tuple[str, str], Bounds]:
    """The gain's interval by benchmark and metric."""
    return {
        (row["benchmark"], row["metric"]): (row["ci_low"], row["ci_high"])
        for path in dict.fromkeys(files)
        for row in read_table(path, COMPARISONS).to_pylist()
        if (row["run"], row["baseline"], row["protocol"]) == (_RUN, BASE, _PROTOCOL)
    }
