"""The rank of an IoU among the training's last ones, after Dr. Seg (arXiv 2603.00152).

Its Distribution-Ranked Reward, as its public code has it: a queue of the last 2,048 values that
begins with 128 zeros; a response's reward is the share of them that are no larger than its own, in
tenths; a step's own values join the queue after the step. So the reward grades where the policy's
answers are by now, however good they are. While the queue holds zeros alone, an IoU of 0 is no
smaller than any of them and gets the whole reward: where every mask misses, the IoU alone shows it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

LONGEST, ZEROS = 2048, 128


@dataclass(frozen=True)
class IouWindow:
    """The last IoUs of a training, in 0-1, oldest first: at most 2,048."""

    ious: tuple[float, ...] = (0.0,) * ZEROS
    _ordered: list[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ordered", sorted(self.ious))

    def rank(self, iou: float) -> float:
        """The share of the window that is no larger than `iou`, in tenths, 0-1.

        >>> IouWindow((0.0, 0.2, 0.5, 0.9)).rank(0.5)
        0.8
        """
        return round(bisect_right(self._ordered, iou) / len(self._ordered), 1)

    def extended(self, ious: Iterable[float]) -> IouWindow:
        """The window with a step's `ious` behind it, the oldest dropped."""
        return IouWindow((*self.ious, *ious)[-LONGEST:])
