"""The bootstrap over images: 95 % percentile intervals of ratios of sums.

Questions on one image are not independent, so images are drawn, and all questions on a drawn image
come with it. Every figure of an evaluation is a ratio of sums over samples (a mean has the
denominator 1), and a resample's figure is computed from its resampled sums.

A figure over several seeds is the mean of theirs, and a training is one draw of the seed: to every
resample draws of the seeds' noise are added, s / √k × Student's t with k − 1 degrees of freedom
for k seeds of standard deviation s. Drawing from so few seeds with replacement would be too narrow.
What the seeds' deviation has of the images' noise is counted twice, which errs to the wide side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
CELLS_AT_ONCE = 4_000_000  # draws held in memory at once: 32 MB
_DRAWS = 20_000  # of the seeds' noise where there are no resamples to add it to
_DRAWS_EACH = 20  # of it for every resample: Holm's correction of 28 p-values asks for their tail
_HALF_WIDTH = 1.96  # of a normal 95 % interval, in standard deviations


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


@dataclass(frozen=True)
class Gain(Interval):
    """A gain, its interval, its deviation over several seeds, and its two-sided p-value."""

    sd: float | None
    p: float


def bootstrap(
    ratios: Sequence[Ratio], images: Sequence[str], *, resamples: int, seed: int
) -> list[Interval]:
    """The value of each ratio and its interval over resampled images, the same draws for all.

    `images` names the image of each of the N samples.
    """
    drawn = _resampled(ratios, images, resamples, seed)
    return [_interval(ratio.value(), values) for ratio, values in zip(ratios, drawn, strict=True)]


def paired_bootstrap(
    ours: Sequence[Sequence[Ratio]],
    theirs: Sequence[Sequence[Ratio]],
    images: Sequence[str],
    *,
    resamples: int,
    seed: int,
) -> list[Gain]:
    """The gain `ours` - `theirs` in each ratio, over one pair of trainings or several.

    Outer lists go pair by pair (one seed each), inner ones ratio by ratio; all are over the same N
    samples in the same order, and all see the same drawn images.
    """
    pairs, kinds = len(ours), len(ours[0])
    flat = [ratio for group in (*ours, *theirs) for ratio in group]
    values = np.array([ratio.value() for ratio in flat]).reshape(2, pairs, kinds)
    drawn = np.stack(_resampled(flat, images, resamples, seed)).reshape(2, pairs, kinds, -1)
    gains = values[0] - values[1]  # [pairs, kinds]
    means = (drawn[0] - drawn[1]).mean(axis=0)  # [kinds, R]
    repeated = np.tile(means, _DRAWS_EACH if pairs > 1 else 1)
    return [_gain(gains[:, kind], repeated[kind], seed) for kind in range(kinds)]


def interval_over_seeds(
    values: Sequence[float], bounds: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """The 95 % interval of the mean of `values`, one a seed, from each one's over images.

    The images' noise is taken as normal and as large as a single seed's, for all see the same ones.
    """
    half = float(np.mean([high - low for low, high in bounds])) / 2
    rng = np.random.default_rng(1)
    images = rng.normal(0.0, half / _HALF_WIDTH, _DRAWS)
    noise = images + _seed_noise(np.asarray(values), _DRAWS, 0)
    interval = _interval(0.0, noise)
    mean = float(np.mean(values))
    return mean + interval.low, mean + interval.high


def _seed_noise(values: Floats, size: int, seed: int) -> Floats:
    """Draws of the error in the mean of `values`, one a seed, [size]; 0 of a single one."""
    count = len(values)
    if count == 1:
        return np.zeros(size)
    rng = np.random.default_rng([seed, count])
    return values.std(ddof=1) / math.sqrt(count) * rng.standard_t(count - 1, size)


def _gain(values: Floats, resampled: Floats, seed: int) -> Gain:
    """The gain from each pair's, and their mean in every resample, to which noise is added."""
    resampled = resampled + _seed_noise(values, len(resampled), seed)
    interval = _interval(float(values.mean()), resampled)
    # Never 0: with R draws no probability below 1 / R can be told.
    beyond = 1 + min((resampled <= 0).sum(), (resampled >= 0).sum())
    return Gain(
        **vars(interval),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        p=min(1.0, 2 * float(beyond) / (len(resampled) + 1)),
    )


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
    block = max(1, CELLS_AT_ONCE // count)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        # Drawing `count` images with replacement and counting them is one multinomial draw.
        yield rng.multinomial(count, shares, size=size).astype(np.float64)
