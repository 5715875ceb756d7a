"""From a response's text to boxes, points and a label: what evaluation and all rewards see."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from samr1.config.names import DialectName
from samr1.policy.dialects import get_dialect
from samr1.policy.objects import Box, Frame, Point
from samr1.policy.parsing import Status, find_think


@dataclass(frozen=True)
class Answer:
    """What a response says, in its dialect's frame; `box` is not None exactly when status is ok.

    Statuses:
        ok: a box with area was found.
        nothing_there: null, an empty list or an empty box: a readable answer with an empty mask.
        no_answer: nothing that could be an answer (and, for `seg_zero`, no thought).
        bad_json: something stands where the answer should, but it is not JSON.
        missing_box: JSON without a box (in `visual_rft` and `vlm_r1`, an answer without one).
        bad_numbers: the box is not four finite numbers (strings and booleans are none).
        missing_points: `seg_zero` without the two points that its reading needs.
        empty_box: the box is reversed, or has no area inside the frame.
        too_long: more than 131,072 characters where an answer should be, or more than 1,000 boxes.
    """

    box: Box | None  # xyxy, clipped to the frame
    points: tuple[Point, ...]  # (x, y, value), clipped; value 1 on the object, 0 off it
    label: str | None
    think: str | None
    status: Status
    others: tuple[tuple[Box, tuple[Point, ...]], ...] = ()
    """Further objects that the answer lists, each with its points; the mask is of all of them."""
    left_out: int = 0
    """Points beyond the 16 of an object (`MAX_POINTS`) that none of these has."""
    well_formed: bool = field(default=False, compare=False)
    """Whether it was written in exactly the dialect's form; never where it could not be read."""

    @property
    def objects(self) -> tuple[tuple[Box, tuple[Point, ...]], ...]:
        """All objects that the answer lists, each with its points; none where there is no box."""
        return () if self.box is None else ((self.box, self.points), *self.others)


def parse_answer(text: str, dialect: DialectName = "sam_r1", frame: Frame = (840, 840)) -> Answer:
    """The answer in a response; never raises, whatever the text.

    Args:
        text: the response as decoded, special tokens left out.
        dialect: the form the prompt asked for. `visual_rft`, `vlm_r1` and `qwen` have no points;
            those with `Dialect.lists` answer with a list of objects, all of which are taken.
        frame: (width, height) that its coordinates are relative to, as `Dialect.frame` says.

    The form may be off as far as the dialect's reading lets it be; a point that is malformed or
    whose value is neither 0 nor 1 is left out. Texts are made valid Unicode (lone surrogates become
    "?").

    >>> parse_answer('<think>left</think><answer>{"bbox_2d": [1, 2, 30, 900]}</answer>').box
    (1.0, 2.0, 30.0, 840.0)
    >>> parse_answer("(100,200),(300,400)", "visual_rft", (1000, 1000)).box
    (100.0, 200.0, 300.0, 400.0)
    >>> parse_answer("I cannot see it.").status
    'no_answer'
    """
    form, think = get_dialect(dialect), find_think(text)
    found = form.read(text)
    if isinstance(found, str):
        return Answer(None, (), None, think, found)
    objects = [form.object_of(one, frame) for one in found]
    whole = [(one.box, one) for one in objects if one.box is not None]
    if not whole:
        first = objects[0]
        return Answer(None, first.points, first.label, think, first.status, left_out=first.left_out)
    (box, first), *others = whole
    return Answer(
        box,
        first.points,
        first.label,
        think,
        "ok",
        others=tuple((box, one.points) for box, one in others),
        left_out=sum(one.left_out for _, one in whole),
        well_formed=found == form.exact_objects(text, frame),
    )


def to_original(
    answer: Answer, frame: Frame, size: tuple[int, int], dialect: DialectName = "sam_r1"
) -> Answer:
    """The answer with boxes and points scaled from its frame to the original image.

    `frame` and `size` are (width, height); where answers are relative, on 0–1000 of either side,
    the frame is (1000, 1000), for `parse_answer` as well. Coordinates are not rounded, except in
    dialects of whole pixels (`Dialect.to_pixel`).

    >>> small = Answer((0.0, 42.0, 84.0, 84.0), ((42.0, 42.0, 1),), None, None, "ok")
    >>> to_original(small, (84, 84), (640, 480)).box
    (0.0, 240.0, 640.0, 480.0)
    >>> to_original(Answer((0.0, 500.0, 250.0, 1000.0), (), None, None, "ok"),
    ...             (1000, 1000), (640, 480)).box
    (0.0, 240.0, 160.0, 480.0)
    """
    to_pixel = get_dialect(dialect).to_pixel

    def scale(value: float, axis: int) -> float:
        return to_pixel(value * (size[axis] / frame[axis]))

    def scale_box(box: Box) -> Box:
        return scale(box[0], 0), scale(box[1], 1), scale(box[2], 0), scale(box[3], 1)

    def scale_points(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple((scale(x, 0), scale(y, 1), value) for x, y, value in points)

    return replace(
        answer,
        box=None if answer.box is None else scale_box(answer.box),
        points=scale_points(answer.points),
        others=tuple((scale_box(box), scale_points(points)) for box, points in answer.others),
    )
