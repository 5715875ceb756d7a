"""The bootstrap: equal to its plain twin, over images, paired, and over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from samr1.evaluation.bootstrap import Ratio, bootstrap, interval_over_seeds, paired_bootstrap


def plain_bootstrap(ratio: Ratio, images: list[str], resamples: int, seed: int) -> np.ndarray:
    """The twin: draw images one resample after another and add up their samples."""
    rng = np.random.default_rng(seed)
    names = sorted(set(images))
    drawn = []
    for _ in range(resamples):
        times = rng.multinomial(len(names), [1 / len(names)] * len(names))
        picked = [
            i
            for name, count in zip(names, times, strict=True)
            for _ in range(count)
            for i, image in enumerate(images)
            if image == name
        ]
        below = sum(ratio.denominator[i] for i in picked) + ratio.epsilon
        drawn.append(sum(ratio.numerator[i] for i in picked) / below if below else 0.0)
    return np.array(drawn)


def test_bootstrap_equals_its_plain_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    images = [f"image{i}" for i in rng.integers(0, 7, 30)]
    mean = Ratio(rng.random(30), np.ones(30))
    total = Ratio(rng.integers(0, 9, 30).astype(float), rng.integers(9, 20, 30).astype(float), 1e-3)
    found = bootstrap([mean, total], images, resamples=200, seed=3)
    for ratio, interval in zip((mean, total), found, strict=True):
        drawn = plain_bootstrap(ratio, images, 200, 3)
        np.testing.assert_allclose(
            [interval.low, interval.high], np.quantile(drawn, [0.025, 0.975]), rtol=1e-12
        )
        assert interval.low < interval.value < interval.high
    assert mean.value() == pytest.approx(mean.numerator.mean())
    # The size of a block of draws is a matter of memory alone.
    monkeypatch.setattr("samr1.evaluation.bootstrap.CELLS_AT_ONCE", 7 * 3)
    assert bootstrap([mean, total], images, resamples=200, seed=3) == found


def test_the_bootstrap_draws_images_not_questions() -> None:
    # Ten questions on one image stand or fall together: one image alone has no spread.
    same = Ratio(np.array([0.0, 1.0] * 5), np.ones(10))
    alone = bootstrap([same], ["image"] * 10, resamples=50, seed=0)[0]
    assert alone.low == alone.value == alone.high == 0.5
    apart = bootstrap([same], [str(i) for i in range(10)], resamples=200, seed=0)[0]
    assert apart.low < 0.4 and apart.high > 0.6


def test_paired_bootstrap_cancels_what_both_share() -> None:
    rng = np.random.default_rng(1)
    base, images = rng.random(40), [str(i) for i in range(40)]
    ours, theirs = Ratio(base + 0.1, np.ones(40)), Ratio(base, np.ones(40))
    gain = paired_bootstrap([[ours]], [[theirs]], images, resamples=100, seed=0)[0]
    np.testing.assert_allclose([gain.value, gain.low, gain.high], 0.1, rtol=1e-9)
    # The twin: the same draws for both, subtracted resample by resample.
    other = Ratio(rng.random(40), np.ones(40))
    gain = paired_bootstrap([[ours]], [[other]], images, resamples=100, seed=0)[0]
    # Names sort as text, in both.
    drawn = plain_bootstrap(ours, images, 100, 0) - plain_bootstrap(other, images, 100, 0)
    np.testing.assert_allclose([gain.low, gain.high], np.quantile(drawn, [0.025, 0.975]))


def test_seeds_are_in_the_interval_and_the_images_are_paired_within_each() -> None:
    rng = np.random.default_rng(3)
    images, ones = [str(i) for i in range(200)], np.ones(200)
    theirs = [Ratio(rng.random(200), ones) for _ in range(4)]
    shifts = np.array([0.05, 0.15, 0.01, 0.19])
    ours = [Ratio(one.numerator + shift, ones) for one, shift in zip(theirs, shifts, strict=True)]
    alone = paired_bootstrap([[ours[0]]], [[theirs[0]]], images, resamples=4000, seed=0)[0]
    assert alone.sd is None and alone.high - alone.low < 1e-9  # a shift is the same on any image
    gain = paired_bootstrap(
        [[one] for one in ours], [[one] for one in theirs], images, resamples=4000, seed=0
    )[0]
    # Nothing but the seeds is left: the interval and the test are Student's with 3 degrees of
    # freedom, whose quantile is 3.182 and whose two-sided p at t = 2.353 is 0.1.
    assert gain.value == pytest.approx(0.1) and gain.sd == pytest.approx(shifts.std(ddof=1))
    half = 3.182 * shifts.std(ddof=1) / 2
    np.testing.assert_allclose([gain.low, gain.high], [0.1 - half, 0.1 + half], atol=0.1 * half)
    assert 0.07 < gain.p < 0.12
    # Few resamples of the images tell a small p of the seeds too: at t = 9 it is 0.0029.
    close = 0.1 * (shifts - shifts.mean())
    sure = close + 9 * close.std(ddof=1) / 2
    ours = [Ratio(one.numerator + gain, ones) for one, gain in zip(theirs, sure, strict=True)]
    gain = paired_bootstrap(
        [[one] for one in ours], [[one] for one in theirs], images, resamples=100, seed=0
    )[0]
    assert 0.001 < gain.p < 0.006
    low, high = interval_over_seeds(shifts, [(0.1, 0.1)] * 4)
    np.testing.assert_allclose([low, high], [0.1 - half, 0.1 + half], atol=0.05 * half)
    low, high = interval_over_seeds([0.1] * 4, [(0.0, 0.2)] * 4)
    np.testing.assert_allclose([low, high], [0.0, 0.2], atol=0.005)


def test_identical_runs_differ_by_nothing() -> None:
    same = Ratio(np.array([0.0, 1.0, 1.0]), np.ones(3))
    gain = paired_bootstrap([[same]], [[same]], ["a", "b", "c"], resamples=50, seed=0)[0]
    assert (gain.value, gain.low, gain.high, gain.p) == (0, 0, 0, 1)
