"""One run against another on the same samples: paired over images, and over seeds."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.evaluation.bootstrap import paired_bootstrap
from samr1.evaluation.score import figures

Pairs = Mapping[int, tuple[pa.Table, pa.Table]]  # seed -> OVERLAPS of the run and of its baseline


def compare(pairs: Pairs, *, resamples: int, bootstrap_seed: int) -> pa.Table:
    """The gain of a run over its baseline, in every figure of both: `schemas.COMPARISONS`.

    Each of `pairs` is of one seed, and all are of the same two runs on the same benchmark. Raises
    UserError where their samples or protocols are not the same.
    """
    _check_rows(pairs)
    ours, theirs = next(iter(pairs.values()))
    rows = []
    for protocol in ours["protocol"].unique().to_pylist():
        first = [figures(_of(one, protocol)) for one, _ in pairs.values()]
        second = [figures(_of(two, protocol)) for _, two in pairs.values()]
        metrics = [name for name in first[0] if all(name in one for one in (*first, *second))]
        images = _of(ours, protocol)["image_id"].to_pylist()
        gains = paired_bootstrap(
            [[ratios[name] for name in metrics] for ratios in first],
            [[ratios[name] for name in metrics] for ratios in second],
            images,
            resamples=resamples,
            seed=bootstrap_seed,
        )
        rows += [
            {
                "run": ours["run"][0].as_py(),
                "baseline": theirs["run"][0].as_py(),
                "benchmark": ours["benchmark"][0].as_py(),
                "metric": metric,
                "protocol": protocol,
                "value": gain.value,
                "ci_low": gain.low,
                "ci_high": gain.high,
                "sd_over_seeds": gain.sd,
                "p": gain.p,
                "seeds": sorted(pairs),
                "n": len(images),
            }
            for metric, gain in zip(metrics, gains, strict=True)
        ]
    return pa.Table.from_pylist(rows, schema=schemas.COMPARISONS)


def _check_rows(pairs: Pairs) -> None:
    """Raise UserError unless all tables are of the same samples and protocols."""
    names = ["benchmark", "protocol", "sample_id"]
    first, _ = next(iter(pairs.values()))
    for seed, pair in pairs.items():
        for table in pair:
            if not table.select(names).equals(first.select(names)):
                raise UserError(
                    f"{_name(first)} and {_name(table)} (pair of seed {seed}) were not scored on "
                    "the same samples by the same protocols; score both anew."
                )


def _of(overlaps: pa.Table, protocol: str) -> pa.Table:
    return overlaps.filter(pc.equal(overlaps["protocol"], protocol))


def _name(overlaps: pa.Table) -> str:
    run, seed = (overlaps[name][0].as_py() for name in ("run", "seed"))
    return f"run {run!r}, seed {seed}"
