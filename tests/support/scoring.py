"""Figures of predictions at once, as the command makes them of overlaps, of few resamples."""

from __future__ import annotations

import pyarrow as pa

from samr1.evaluation.score import Protocol, measure_overlaps, score_overlaps


def score(
    samples: pa.Table, predictions: pa.Table, protocol: Protocol, objects: pa.Table | None = None
) -> pa.Table:
    """Rows of `schemas.METRICS`."""
    overlaps = measure_overlaps(samples, predictions, protocol, objects=objects)
    return score_overlaps(overlaps, resamples=10, bootstrap_seed=0)


def values_of(table: pa.Table) -> dict[str, float]:
    """The value of each metric of a table of metrics or comparisons."""
    return dict(zip(table["metric"].to_pylist(), table["value"].to_pylist(), strict=True))
