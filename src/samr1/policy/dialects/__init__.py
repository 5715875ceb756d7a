"""Dialects: what the policy is asked, and the form and the frame of its answers, one file each.

`sam_r1` uses the keys that Qwen2.5-VL was trained on; `sam_r1_points` is its several-points form
with values 0 and 1, `sam_r1_list` its form of several objects, and `sam_r1_1000` and
`sam_r1_1000_list` are the same in the frame that Qwen3-VL was trained on. The others are those of
public checkpoints, so that these run unchanged: their templates are word for word those of the
public code, and each file says how far their answers are read as that code reads them.

The policy sees a square image in every dialect. So do Seg-Zero's and VisionReasoner's; the others'
own code keeps the image's proportions (`config/baselines.md`).

A new dialect is a file here with a `DIALECT`, and its name in `samr1.config.names`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from samr1.config.names import DialectName
from samr1.policy.objects import AnswerObject, Box, Frame, Point, read_object
from samr1.policy.parsing import Failure, RawObject, read_one
from samr1.policy.strict import Shape, has_exactly, tagged_json

SYSTEM_PROMPT = "You are a helpful assistant."  # Qwen2.5-VL's chat template adds it by itself


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """All that is particular to one dialect."""

    template: str
    """The user's text; {query} is its only field, and the image comes before it in the chat."""
    write: Callable[[Box, Sequence[Point], str], str]
    """A right answer's text, of a box, points (one at least where there are any) and a label."""
    shape: Shape
    """The keys that an object has in the strict form, and what each must hold."""

    system: str | None = SYSTEM_PROMPT
    """What stands before the user's turn; None leaves that to the policy's chat template."""
    strip: str | None = None
    """The question is lower-cased and these characters taken off its ends; None keeps it."""
    relative: int | None = None
    """Coordinates go from 0 to this along either side; None: pixels of the image it sees."""
    to_pixel: Callable[[float], float] = float
    """How its code rounds a coordinate of the original image before it prompts SAM."""
    points: int = 1
    """The most points that a right answer is written with, though a response's are all read; with
    0 none is, and the segmenter gets the box alone."""
    lists: bool = False
    """Whether an answer is a list of objects; its mask is the union of theirs."""
    thinks: bool = True
    """Whether the answer stands in tags behind a thought; if not, it is all of the response."""

    read: Callable[[str], list[RawObject] | Failure] = read_one
    """The objects of a response that are told apart, one at least, or why there is none."""
    read_object: Callable[[RawObject, Frame], AnswerObject] = read_object
    """What is read of one of them."""
    decode: Callable[[str], Any] = tagged_json
    """The value that a response of the strict form holds; None where it has not that form."""

    def ask(self, query: str) -> str:
        """The user's text for a question."""
        if self.strip is not None:
            query = query.lower().strip(self.strip)
        return self.template.format(query=query)

    def frame(self, image_size: int) -> Frame:
        """The (width, height) of coordinates in answers to an image of that side."""
        side = self.relative or image_size
        return side, side

    def respond(self, think: str, box: Box, points: Sequence[Point], label: str) -> str:
        """A well-formed response; `box` is xyxy, all in the dialect's frame, and is rounded.

        Points beyond those that the dialect has are left out. Raises ValueError where it has some
        and none is given.
        """
        if self.points and not points:
            raise ValueError("an answer in this dialect needs a point")
        answer = self.write(box, points[: self.points], label)
        return f"<think> {think} </think><answer>{answer}</answer>" if self.thinks else answer

    def object_of(self, found: RawObject, frame: Frame) -> AnswerObject:
        """One object of a response, without points in a dialect that has none."""
        read = self.read_object(found, frame)
        return read if self.points else read._replace(points=(), left_out=0)

    def exact_objects(self, text: str, frame: Frame) -> list[dict[str, Any]] | None:
        """The objects of a response that has the strict form; None where it has not."""
        value = self.decode(text)
        objects = value if self.lists else [value]
        if not isinstance(objects, list) or not objects:
            return None
        return objects if all(has_exactly(one, self.shape, frame) for one in objects) else None


@cache
def get_dialect(name: DialectName) -> Dialect:
    """The dialect of that name.

    >>> get_dialect("seg_zero").frame(840), get_dialect("visual_rft").frame(840)
    ((840, 840), (1000, 1000))
    """
    dialect: Dialect = import_module(f"{__name__}.{name}").DIALECT
    return dialect


def write_numbers(values: Sequence[float], comma: str = ", ") -> str:
    """Coordinates as whole numbers."""
    return comma.join(str(round(value)) for value in values)
