"""Point rewards of the paper's appendix, "Encouraging Negative Reference Points" (Figure 4).

Both lead the policy astray there; they are ablations, and no part of SAM-R1.
"""

from __future__ import annotations

from typing import Literal

from samr1.policy.answer import Answer

PointMode = Literal["any", "inside"]


def negative_points_reward(answer: Answer, mode: PointMode) -> float:
    """1 if the answer's points have both values, 0 and 1; else 0.

    "any" is Figure 4 (b). "inside", Figure 4 (c), asks besides that all points lie inside the
    answer's own box; on its edge is not inside, where a point from beyond the image ends up.

    >>> box, on, off = (0.0, 0.0, 9.0, 9.0), (4.0, 4.0, 1), (20.0, 4.0, 0)
    >>> answer = Answer(box, (on, off), "cup", None, "ok")
    >>> negative_points_reward(answer, "any"), negative_points_reward(answer, "inside")
    (1.0, 0.0)
    """
    if {value for _, _, value in answer.points} != {0, 1}:
        return 0.0
    if mode == "any":
        return 1.0
    if answer.box is None:
        return 0.0
    x1, y1, x2, y2 = answer.box
    return float(all(x1 < x < x2 and y1 < y < y2 for x, y, _ in answer.points))
