"""Which of the paper's claims show up in the studies, by declared rules and in plain words."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from samr1.config.published import Beating, Claims, Collapse, Column, MoreData
from samr1.report.tables.differences import LEVEL, Comparisons, Row, correct
from samr1.report.tables.markdown import percent

SHOWS, NOT, OPPOSITE, UNKNOWN = "shows", "does not show", "the opposite", "cannot be said yet"
SEEDS = 3  # fewer pairs of trainings say nothing of the settings
MARGIN = 0.01  # more samples "do not help" where they help by less than this
WINDOW = 10  # steps
COLLAPSE = 0.5  # of the best window's reward
COLLAPSE_STEPS = 100  # after which the paper's training without KL collapsed

RULES = f"""Declared before, and the same at every scale:

- A run *beats* another where at least one of the columns (gIoU and cIoU on each benchmark) is
  better beyond noise and none is worse beyond noise. Beyond noise: p ≤ {LEVEL} of the bootstrap
  paired over images and seeds, after Holm's correction for all comparisons of the claim; claims
  are not corrected for one another. A claim *shows* where the run beats every one that it names;
  *the opposite* shows where it beats none and one beats it; else it *does not show*, which is not
  the same as false.
- More samples *do not help* where in no column the 95 % interval of the gain of three times the
  samples reaches {100 * MARGIN:.0f} point; the opposite shows where the larger training beats the
  smaller one.
- A training has *collapsed* where the mean reward of its last {WINDOW} steps is below
  {100 * COLLAPSE:.0f} % of that of its best {WINDOW} in a row. The claim shows where most seeds
  without the KL term collapse and most with it do not, and the other way round the opposite.
  Trainings of fewer than {COLLAPSE_STEPS} steps say nothing.
- With fewer than {SEEDS} seeds (of both runs of a pair, the same ones) nothing is said."""


@dataclass(frozen=True)
class Verdict:
    """A claim, whether it shows, and the figures that say so."""

    claim: str
    verdict: str
    why: str


def judge_claims(
    claims: Claims, columns: Sequence[Column], comparisons: Comparisons, curves: pa.Table
) -> list[Verdict]:
    """Every claim of the paper against the studies' comparisons and training curves."""
    return [
        *(judge_beating(claim, columns, comparisons) for claim in claims.beating),
        judge_collapse(claims.collapse, curves),
        judge_more_data(claims.more_data, columns, comparisons),
    ]


def judge_beating(claim: Beating, columns: Sequence[Column], found: Comparisons) -> Verdict:
    """Whether the claim's run beats every one of its rivals, by the first rule."""
    pairs = [_compare(claim.run, rival, columns, found) for rival in claim.rivals]
    if lacking := [pair.lack() for pair in pairs if pair.seeds < SEEDS]:
        return Verdict(claim.claim, UNKNOWN, "; ".join(lacking))
    corrected = iter(_signs([one for pair in pairs for one in pair.differences]))
    signs = [[next(corrected) for _ in pair.differences] for pair in pairs]
    results = [_result(them) for them in signs]
    if min(results) > 0:
        verdict = SHOWS
    elif min(results) < 0 and max(results) <= 0:
        verdict = OPPOSITE
    else:
        verdict = NOT
    return Verdict(claim.claim, verdict, "; ".join(map(_Pair.describe, pairs, signs)))


def judge_more_data(claim: MoreData, columns: Sequence[Column], found: Comparisons) -> Verdict:
    """Whether three times the samples do not help, by the second rule."""
    pair = _compare(claim.larger, claim.smaller, columns, found)
    if pair.seeds < SEEDS:
        return Verdict(claim.claim, UNKNOWN, pair.lack())
    signs = _signs(pair.differences)
    highest = max(one["ci_high"] for one in pair.differences)
    without = SHOWS if highest < MARGIN else NOT
    verdict = OPPOSITE if _result(signs) > 0 else without
    why = (
        f"{pair.describe(signs)}; the intervals allow a gain of up to "
        f"{percent(highest, signed=True)} points"
    )
    return Verdict(claim.claim, verdict, why)


def judge_collapse(claim: Collapse, curves: pa.Table) -> Verdict:
    """Whether the long trainings without the KL term collapse and those with it do not."""
    collapsed: dict[str, list[bool]] = {}
    steps = curves.to_pandas()
    for run in (claim.without_kl, claim.with_kl):
        seeds = steps[steps["run"] == run].groupby("seed")["reward_total"]
        rewards = [values.tolist() for _, values in seeds]
        if len(rewards) < SEEDS:
            why = f"`{run}` has {len(rewards)} of the {SEEDS} seeds that it takes"
            return Verdict(claim.claim, UNKNOWN, why)
        shortest = min(map(len, rewards))
        if shortest < COLLAPSE_STEPS:
            why = f"`{run}` has {shortest} steps; the paper's collapse came after {COLLAPSE_STEPS}"
            return Verdict(claim.claim, UNKNOWN, why)
        collapsed[run] = [has_collapsed(values) for values in rewards]
    without, with_kl = (sum(them) > len(them) / 2 for them in collapsed.values())
    verdict = {(True, False): SHOWS, (False, True): OPPOSITE}.get((without, with_kl), NOT)
    why = "; ".join(
        f"`{run}` collapsed in {sum(them)} of {len(them)} seeds" for run, them in collapsed.items()
    )
    return Verdict(claim.claim, verdict, why)


def has_collapsed(rewards: Sequence[float]) -> bool:
    """Whether the last window's mean reward is far below the best window's."""
    windows = [
        statistics.fmean(rewards[start : start + WINDOW])
        for start in range(len(rewards) - WINDOW + 1)
    ]
    return windows[-1] < COLLAPSE * max(windows)


def list_claims(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as Markdown, with the rules below."""
    lines = [f"- {one.claim}: **{one.verdict}**. {one.why}." for one in verdicts]
    return "\n".join([*lines, "", RULES])


@dataclass(frozen=True)
class _Pair:
    """A run and its rival, and the differences between them that are known."""

    run: str
    rival: str
    differences: list[Row]  # a column each

    @property
    def seeds(self) -> int:
        return min((len(one["seeds"]) for one in self.differences), default=0)

    def lack(self) -> str:
        return f"`{self.run}` − `{self.rival}` has {self.seeds} of the {SEEDS} seeds that it takes"

    def describe(self, signs: Sequence[int]) -> str:
        values = [one["value"] for one in self.differences]
        lowest, highest = percent(min(values), signed=True), percent(max(values), signed=True)
        counts = (signs.count(1), "better"), (signs.count(-1), "worse")
        beyond = " and ".join(f"{count} {word}" for count, word in counts if count) or "none"
        return (
            f"`{self.run}` − `{self.rival}` is {lowest} to {highest} points in the {len(values)} "
            f"columns ({self.seeds} seeds), {beyond} beyond noise"
        )


def _compare(run: str, rival: str, columns: Sequence[Column], found: Comparisons) -> _Pair:
    differences = [found.find(run, rival, one.benchmark, one.metric) for one in columns]
    return _Pair(run, rival, [one for one in differences if one is not None])


def _signs(differences: Sequence[Row]) -> list[int]:
    """1 or -1 of each difference beyond noise, 0 of the others."""
    return [
        0 if p > LEVEL else (1 if one["value"] > 0 else -1)
        for one, p in zip(differences, correct(differences), strict=True)
    ]


def _result(signs: Sequence[int]) -> int:
    """1 where a run beats another, -1 where it is beaten, else 0."""
    return int(max(signs) > 0) - int(min(signs) < 0)
