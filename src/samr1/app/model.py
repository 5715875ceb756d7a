"""The policy and the segmenter together, ready to be asked.

    from samr1.app.model import load_samr1

    model = load_samr1("results/micro/policies/sam_r1/seed_0")
    answers = model.segment("picture.png", ["the red circle"])

What is asked goes through the functions that evaluate a benchmark: the policy sees the picture at
its own square size, SAM the original, and each picture passes once through either, however many
questions are asked of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from samr1.app.questions import check_question
from samr1.config.names import DialectName
from samr1.config.schema import (
    PolicyConfig,
    PredictConfig,
    PredictStage,
    SegmenterConfig,
    parse_config,
)
from samr1.core.device import use_device
from samr1.core.errors import UserError
from samr1.core.hub import HubName, locate
from samr1.core.reading import read_bytes
from samr1.data.image_files import MAX_BYTES
from samr1.data.images import as_seen, load_picture
from samr1.data.masks import Mask, decode_mask
from samr1.data.resizing import to_square
from samr1.evaluation.predict import answer_rows, read_response
from samr1.policy.answer import Answer
from samr1.policy.families import family_of
from samr1.policy.meta import read_policy_config
from samr1.policy.model import Policy, load_policy
from samr1.policy.objects import Box, Point
from samr1.policy.prompt_settings import (
    DEFAULT_SETTINGS,
    FILE,
    MICRO,
    PromptSettings,
    read_settings,
    resolve,
)
from samr1.segmenter import Segmenter

Pixels = npt.NDArray[np.uint8]  # RGB [h, w, 3]

BATCH_SIZE = 16  # questions decoded together
_MOST_UNITS = 128  # tokens along a side: Qwen2.5-VL's own bound


@dataclass(frozen=True)
class Segmented:
    """The answer to one question; box, points and mask are in pixels of the picture as seen."""

    question: str
    status: str  # ok, or why there is no box (`samr1.policy.answer.Answer`)
    think: str | None
    box: Box | None  # xyxy, of the first object
    points: tuple[Point, ...]  # its (x, y, value), value 1 on the object and 0 off it
    objects: tuple[tuple[Box, tuple[Point, ...]], ...]  # box and points of all, the first included
    left_out: int  # points of them that the segmenter was not given: an object has at most 16
    label: str | None
    mask: Mask | None  # [h, w], of all objects; empty where the status is nothing_there
    sam_score: float | None  # SAM's own estimate of the mask's IoU, where it was asked
    text: str  # the whole response


@dataclass(frozen=True)
class Samr1:
    """A policy and a segmenter, and how they are asked; for one thread at a time."""

    policy: Policy
    segmenter: Segmenter
    stage: PredictStage

    def segment(
        self, image: str | Path | Image.Image | Pixels, questions: Sequence[str]
    ) -> list[Segmented]:
        """Ask `questions` of one picture: a file, a PIL image, or RGB pixels uint8 [h, w, 3].

        Raises UserError where the picture cannot be read or a question cannot be asked.
        """
        return self.segment_each([(_to_pixels(image), questions)])[0]

    def segment_each(self, asked: Sequence[tuple[Pixels, Sequence[str]]]) -> list[list[Segmented]]:
        """The answers to the questions of each of several pictures, decoded together.

        Raises UserError where a picture is none, or a question cannot be asked.
        """
        originals = {str(i): _check_pixels(pixels) for i, (pixels, _) in enumerate(asked)}
        rows = [
            {
                "sample_id": str(i),
                "image_id": str(i),
                "image_path": str(i),
                "height": pixels.shape[0],
                "width": pixels.shape[1],
                "query": check_question(question),
            }
            for i, (pixels, questions) in enumerate(asked)
            for question in questions
        ]
        answers: list[list[Segmented]] = [[] for _ in asked]
        found = self._answer(rows, originals) if rows else {}
        for i, row in enumerate(rows):
            answer = read_response(found[i]["text"], row, self.stage)
            answers[int(row["image_id"])].append(_segmented(row["query"], found[i], answer))
        return answers

    def _answer(
        self, rows: list[dict[str, Any]], originals: dict[str, Pixels]
    ) -> dict[int, dict[str, Any]]:
        """Rows of `schemas.PREDICTIONS`, by index."""
        found: dict[int, dict[str, Any]] = {}
        for batch in answer_rows(
            rows,
            _Squares(originals, self.stage.policy.image_size),
            lambda row: originals[row["image_id"]],
            self.policy,
            self.segmenter,
            self.stage,
        ):
            found |= batch
        return found


@dataclass(frozen=True)
class _Squares:
    """The pictures as the policy sees them."""

    originals: dict[str, Pixels]
    image_size: int

    def get(self, image_id: str) -> Image.Image:
        return to_square(self.originals[image_id], self.image_size)


def _segmented(question: str, row: dict[str, Any], answer: Answer) -> Segmented:
    score = row["sam_score"]
    if score is not None and not math.isfinite(score):
        raise UserError("the segmenter's score of its mask is no number; use another segmenter.")
    return Segmented(
        question=question,
        status=answer.status,
        think=answer.think,
        box=answer.box,
        points=answer.points,
        objects=answer.objects,
        left_out=answer.left_out,
        label=answer.label,
        mask=row["mask"] and decode_mask(row["mask"]),
        sam_score=score,
        text=row["text"],
    )


def _to_pixels(image: str | Path | Image.Image | Pixels) -> Pixels:
    if isinstance(image, np.ndarray):
        return image
    if isinstance(image, Image.Image):
        return as_seen(image, "the picture")
    return load_picture(read_bytes(Path(image), MAX_BYTES), str(image))


def _check_pixels(pixels: Pixels) -> Pixels:
    fits = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    if not fits or 0 in pixels.shape:
        raise UserError(
            f"a picture of {pixels.dtype} {list(pixels.shape)} cannot be asked about; give RGB "
            "pixels, uint8 [h, w, 3]."
        )
    return pixels


def load_samr1(
    policy: str | Path = MICRO,
    segmenter: str | Path | None = None,
    *,
    dialect: DialectName | None = None,
    image_size: int | None = None,
) -> Samr1:
    """Load a policy and a segmenter, onto the first GPU where there is one.

    Args:
        policy: the folder of a policy, `owner/name@commit` on the model hub, or `micro`, the tiny
            one that `sam_r1` trained and that is shipped.
        segmenter: a folder, one of Meta's .pt files, a hub name or `micro`; None takes the one
            that the policy was trained with.
        dialect, image_size: how the policy is asked, where it is not as its `samr1.json` says. A
            policy without that file is asked as the paper's (`DEFAULT_SETTINGS`), in the dialect
            and at the size that suit its family.

    Raises UserError where one of them is not there or cannot be loaded.
    """
    settings = find_settings(policy, dialect, image_size)
    path = resolve(policy, "policy")
    sam = _find_segmenter(segmenter, settings, policy)
    device = use_device()
    loaded = load_policy(path, settings.dtype, device)
    unit = loaded.image_processor.patch_size * loaded.image_processor.merge_size
    if settings.image_size % unit or settings.image_size > _MOST_UNITS * unit:
        raise UserError(
            f"{policy}: cannot see images of {settings.image_size} pixels a side; give an image "
            f"size that is a multiple of {unit}, at most {_MOST_UNITS * unit:,}."
        )
    segmenting = Segmenter.load(sam, device=device)
    stage = PredictStage(
        name="use",
        dialect=settings.dialect,
        threads=torch.get_num_threads(),
        policy=PolicyConfig(
            path=path, image_size=settings.image_size, dtype=settings.dtype, train_vision=False
        ),
        segmenter=SegmenterConfig(path=sam, image_size=segmenting.image_size),
        evaluation=PredictConfig(
            batch_size=BATCH_SIZE, max_response_tokens=settings.max_response_tokens
        ),
    )
    return Samr1(loaded, segmenting, stage)


def find_settings(
    policy: str | Path, dialect: DialectName | None = None, image_size: int | None = None
) -> PromptSettings:
    """How `policy` is asked: as it says or else as the paper's, but for what is given.

    Raises UserError where the policy says what none can be, or that is given.
    """
    found = read_settings(policy) or _suit_family(policy)
    given = {"dialect": dialect, "image_size": image_size}
    changes = {key: value for key, value in given.items() if value is not None}
    return parse_config(found.model_dump() | changes, PromptSettings, f"asking {policy}")


def _suit_family(policy: str | Path) -> PromptSettings:
    family = family_of(read_policy_config(resolve(policy, "policy")))
    own = {"dialect": family.dialect, "image_size": family.image_size}
    return DEFAULT_SETTINGS.model_copy(update=own)


def _find_segmenter(given: str | Path | None, settings: PromptSettings, policy: str | Path) -> str:
    if given is not None:
        return resolve(given, "segmenter")
    path = resolve(settings.segmenter, "segmenter")
    try:
        there = isinstance(locate(path), HubName) or os.path.exists(path)
    except ValueError:  # a path that is not here and would be a hub name, had it a commit
        there = False
    if not there:
        raise UserError(
            f"{policy}: was trained with the segmenter {path}, says its {FILE}, which is not here; "
            "name a segmenter."
        )
    return path
