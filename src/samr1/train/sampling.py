"""A step's questions with their groups and rewards; sampled again where a group agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np

from samr1.train.batches import Batch, Sample
from samr1.train.engine import Engine
from samr1.train.metrics import ResponseRecord
from samr1.train.reward import ScoredResponse
from samr1.train.step import Rollout

Item = TypeVar("Item")


@dataclass(frozen=True)
class Sampled:
    """The questions of one process in a step, with their groups and rewards.

    `tokens` are those of all responses that were sampled, of dropped groups too.
    """

    batch: Batch
    rollout: Rollout
    scored: list[list[ScoredResponse]]
    tokens: int


def count_tokens(rollout: Rollout) -> int:
    """The tokens of all responses."""
    return sum(len(response) for group in rollout.responses for response in group)


def response_records(sampled: Sampled) -> list[ResponseRecord]:
    """One record a response of this process; none where it only keeps the others company."""
    return [
        ResponseRecord(response, len(tokens), truncated, not _agrees(responses))
        for group, responses in zip(sampled.rollout.groups, sampled.scored, strict=True)
        for response, tokens, truncated in zip(
            responses, group.responses, group.truncated, strict=True
        )
        if not sampled.batch.is_padding
    ]


def gather_ious(sampled: Sampled, engine: Engine) -> list[float]:
    """The IoUs of the step's responses, in the order of its questions on however many processes."""
    own = [
        (engine.rank + engine.processes * row, [response.iou for response in group])
        for row, group in enumerate([] if sampled.batch.is_padding else sampled.scored)
    ]
    return [iou for _, group in sorted(engine.gather(own)) for iou in group]


def draw_others(samples: int, drawn: Sequence[int], step: int, seed: int) -> Iterator[int]:
    """The indices of all samples that a step has not `drawn`, in an order of (seed, step) alone."""
    order = np.random.default_rng([seed, step, 1]).permutation(samples).tolist()
    taken = set(drawn)
    return (index for index in order if index not in taken)


def sample_again(
    sampled: Sampled,
    engine: Engine,
    others: Iterator[Sample],
    sample: Callable[[list[Sample]], Sampled],
    rounds: int,
) -> Sampled:
    """`sampled`, each question whose group agrees in reward replaced, in up to `rounds` rounds.

    Dynamic sampling of DAPO (arXiv 2503.14476): such a group has advantages of 0 and trains
    nothing but the KL term. In every round the places of the step that hold one get the next
    questions of `others`, in order, which is the same whatever the number of processes; `sample`
    samples those of this process, and none where it has none (all processes take part). What agrees
    after the last round, or when `others` are used up, stays. verl takes the next questions of the
    epoch and gives up at its bound; here a step's questions never depend on those before it.
    """
    for _ in range(rounds):
        agreeing = [row for row, group in enumerate(sampled.scored) if _agrees(group)]
        rows = [] if sampled.batch.is_padding else agreeing
        own = [engine.rank + engine.processes * row for row in rows]
        places = sorted(engine.gather(own))
        fresh = dict(zip(places, islice(others, len(places)), strict=False))
        if not fresh:
            break
        taken = [
            (row, fresh[place]) for row, place in zip(rows, own, strict=True) if place in fresh
        ]
        more = sample([question for _, question in taken])
        sampled = _put(sampled, [row for row, _ in taken], more)
    return sampled


def _agrees(group: Sequence[ScoredResponse]) -> bool:
    return len({response.parts.total for response in group}) == 1


def _put(sampled: Sampled, rows: Sequence[int], more: Sampled) -> Sampled:
    """`sampled` with the questions of `more` in `rows`."""

    def merged(old: Sequence[Item], new: Sequence[Item]) -> list[Item]:
        found = dict(zip(rows, new, strict=True))
        return [found.get(row, item) for row, item in enumerate(old)]

    batch, rollout = sampled.batch, sampled.rollout
    features = rollout.image_features
    return Sampled(
        batch=replace(
            batch,
            samples=merged(batch.samples, more.batch.samples),
            questions=merged(batch.questions, more.batch.questions),
            truths=merged(batch.truths, more.batch.truths),
            originals=batch.originals | more.batch.originals,
        ),
        rollout=Rollout(
            questions=merged(rollout.questions, more.rollout.questions),
            groups=merged(rollout.groups, more.rollout.groups),
            texts=merged(rollout.texts, more.rollout.texts),
            image_features=features and merged(features, more.rollout.image_features or []),
        ),
        scored=merged(sampled.scored, more.scored),
        tokens=sampled.tokens + more.tokens,
    )
