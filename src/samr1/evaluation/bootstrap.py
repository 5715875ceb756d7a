"""The bootstrap over images: 95 % percentile intervals of ratios of sums.

Questions on one image are not independent, so images are drawn, and all questions on a drawn image
come with it. Every figure of an evaluation is a ratio of sums over samples (a mean has the
denominator 1), and a resample's figure is computed from its resampled sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
_CELLS = 4_000_000  # draws held in memory at once: 32 MB


@dataclass(frozen=True)
class Ratio:
    """A figure Σ numerator / (Σ denominator + epsilon) over N samples; 0 where that is 0/0."""

    numerator: Floats  # [N]
    denominator: Floats  # [N]
    epsilon: float = 0.0

    def value(self) -> float:
        """The figure over all samples."""
        return float(self.of_sums(self.numerator.sum(), self.denominator.sum()))

    def of_sums(self, numerator: Floats, denominator: Floats) -> Floats:
        """The figure from sums over samples, of any shape."""
        below = np.asarray(denominator + self.epsilon, dtype=np.float64)
        return np.divide(numerator, below, out=np.zeros_like(below), where=below > 0)


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(
    ratios: Sequence[Ratio], images: Sequence[str], *, resamples: int, seed: int
) -> list[Interval]:
    """The value of each ratio and its interval over resampled images, the same draws for all.

    `images` names the image of each of the N samples.
    """
    drawn = _resampled(ratios, images, resamples, seed)
    return [_interval(ratio.value(), values) for ratio, values in zip(ratios, drawn, strict=True)]


def paired_bootstrap(
    ours: Sequence[Ratio],
    theirs: Sequence[Ratio],
    images: Sequence[str],
    *,
    resamples: int,
    seed: int,
) -> list[Interval]:
    """The gain `ours` - `theirs` in each ratio, with its interval: both see the same drawn images.

    The two lists go pair by pair, over the same N samples in the same order.
    """
    drawn = _resampled([*ours, *theirs], images, resamples, seed)
    first, second = drawn[: len(ours)], drawn[len(ours) :]
    return [
        _interval(a.value() - b.value(), x - y)
        for a, b, x, y in zip(ours, theirs, first, second, strict=True)
    ]


def _interval(value: float, resampled: Floats) -> Interval:
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def _resampled(
    ratios: Sequence[Ratio], images: Sequence[str], resamples: int, seed: int
) -> list[Floats]:
    """For each ratio its value in each resample, [R]."""
    _, cluster = np.unique(np.asarray(images), return_inverse=True)
    count = int(cluster.max()) + 1
    columns = [column for ratio in ratios for column in (ratio.numerator, ratio.denominator)]
    sums = np.stack([np.bincount(cluster, column, count) for column in columns])  # [2K, C]
    # Not a matrix product: BLAS may add in another order on another number of threads.
    drawn = np.concatenate(
        [
            np.einsum("rc,kc->kr", weights, sums, optimize=False)
            for weights in _draws(count, resamples, seed)
        ],
        axis=1,
    )  # [2K, R]
    return [ratio.of_sums(drawn[2 * k], drawn[2 * k + 1]) for k, ratio in enumerate(ratios)]


def _draws(count: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each of `count` images is drawn, [r, count], in blocks of r resamples."""
    rng = np.random.default_rng(seed)
    shares = np.full(count, 1 / count)
    block = max(1, _CELLS // count)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        # Drawing `count` images with replacement and counting them is one multinomial draw.
        yield rng.multinomial(count, shares, size=size).astype(np.float64)
