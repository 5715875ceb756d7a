"""Prediction: every question of a benchmark to a response, an answer and a mask.

Each image passes once through the segmenter, however many questions ask about it: its masks are
made when the last of them has its response. On a GPU the next batch is decoded meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from tqdm import tqdm

from samr1.config.schema import PredictStage
from samr1.core import schemas
from samr1.core.device import side_stream
from samr1.core.errors import UserError, say
from samr1.core.prefetch import prefetch
from samr1.data.images import load_original
from samr1.data.masks import encode_mask
from samr1.data.resizing import ImageStore
from samr1.evaluation.responses import Pictures, Response, respond, whole_images
from samr1.policy.answer import Answer, parse_answer, to_original
from samr1.policy.dialects import get_dialect
from samr1.policy.model import Policy
from samr1.policy.objects import MAX_POINTS, Point
from samr1.segmenter import Segmenter, answer_masks

Item = TypeVar("Item")
Mask = tuple[dict[str, Any], float | None]  # RLE at the original's size; SAM's score, if asked
Read = Callable[[dict[str, Any]], npt.NDArray[np.uint8]]  # a row's original image, RGB [h, w, 3]


def predict(
    samples: pa.Table,
    store: ImageStore,
    root: Path,
    policy: Policy,
    segmenter: Segmenter,
    stage: PredictStage,
    *,
    show_progress: bool = True,
) -> pa.Table:
    """Answer every row of `samples`: rows of `schemas.PREDICTIONS`, in the same order.

    The policy sees the square images of `store`, the segmenter the originals below `root`. Boxes,
    points and masks are in pixels of the original; an answer that could not be read has a null mask
    and says why in `status`, and one that says that nothing is there has an empty mask. Raises
    UserError where an image is missing, is not the one that its sample describes, or was resized
    for another policy.
    """
    rows = samples.drop_columns(["mask", "ignore"]).to_pylist()
    _check_images(rows, store, root, stage)
    predicted: dict[int, dict[str, Any]] = {}
    progress = tqdm(
        total=len(rows), desc="predict", unit="sample", disable=None if show_progress else True
    )
    read = partial(read_original, root)
    with closing(answer_rows(rows, store, read, policy, segmenter, stage)) as batches:
        for batch in batches:
            predicted |= batch
            progress.update(len(batch))
    progress.close()
    in_order = [predicted[i] for i in range(len(rows))]
    _tell_left_out(sum(row.pop("left_out") for row in in_order))
    return pa.Table.from_pylist(in_order, schema=schemas.PREDICTIONS)


def answer_rows(
    rows: Sequence[dict[str, Any]],
    pictures: Pictures,
    read: Read,
    policy: Policy,
    segmenter: Segmenter,
    stage: PredictStage,
) -> Generator[dict[int, dict[str, Any]], None, None]:
    """Rows of `schemas.PREDICTIONS` for `rows` of samples, by index, batch after batch.

    Each says besides, as `left_out`, how many of its points the segmenter was not given.
    The policy sees `pictures`, the segmenter the original that `read` gives of a row. A row needs
    its `sample_id`, `image_id`, `image_path`, `width`, `height` and `query`.
    """
    ids = [row["image_id"] for row in rows]
    with _beside(segmenter.device, respond(rows, pictures, policy, stage)) as batches:
        for batch in whole_images(batches, ids):
            answers = {
                i: read_response(response.text, rows[i], stage) for i, response in batch.items()
            }
            masks = segment(rows, answers, read, segmenter)
            yield {
                i: _prediction(rows[i]["sample_id"], response, answers[i], masks.get(i))
                for i, response in batch.items()
            }


def read_response(text: str, row: Mapping[str, Any], stage: PredictStage) -> Answer:
    """The answer in the response to a row of samples, in pixels of its original."""
    frame = get_dialect(stage.dialect).frame(stage.policy.image_size)
    answer = parse_answer(text, stage.dialect, frame)
    return to_original(answer, frame, (row["width"], row["height"]), stage.dialect)


def _tell_left_out(left_out: int) -> None:
    """Say how many points no mask was made of: in no column, since it is rarely any."""
    if left_out:
        say(
            f"note: {left_out:,} points were not given to the segmenter, which takes "
            f"{MAX_POINTS} of an object."
        )


def overlaps(device: torch.device) -> bool:
    """Whether a batch is decoded while the masks of the one before are made on `device`.

    A CPU's cores are busy with either.
    """
    return device.type == "cuda"


@contextmanager
def _beside(
    device: torch.device, batches: Generator[Item, None, None]
) -> Iterator[Generator[Item, None, None]]:
    """Give `batches`, made in the background where the device allows while the caller segments.

    There the caller gets a stream of its own, so that neither waits for the other's kernels.
    """
    if not overlaps(device):
        with closing(batches):
            yield batches
        return
    stream = None
    if device.type == "cuda":
        stream = side_stream(device, "segmenting")
        stream.wait_stream(torch.cuda.current_stream(device))  # the weights are there
    with closing(prefetch(batches)) as ready, torch.cuda.stream(stream):
        yield ready


def segment(
    rows: Sequence[dict[str, Any]],
    answers: Mapping[int, Answer],
    read: Read,
    segmenter: Segmenter,
) -> dict[int, Mask]:
    """The mask (RLE at the original's size) and SAM's score of every answer that can be read.

    By index of the row; `answers` are in pixels of the original, which `read` gives of a row. Each
    image is read and embedded once. "Nothing there" is an empty mask, for which SAM is not asked.
    """
    asked: dict[str, list[int]] = {}  # image_path -> its answers
    for i, answer in answers.items():
        if answer.box is not None:
            asked.setdefault(rows[i]["image_path"], []).append(i)
    found: dict[int, Mask] = {
        i: (dict(encode_mask(np.zeros((rows[i]["height"], rows[i]["width"]), bool))), None)
        for i, answer in answers.items()
        if answer.status == "nothing_there"
    }
    images = (read(rows[members[0]]) for members in asked.values())
    for members, embedding in zip(asked.values(), segmenter.embed_each(images), strict=True):
        masks, scores = answer_masks(segmenter, embedding, [answers[i] for i in members])
        for i, mask, score in zip(members, masks.cpu().numpy(), scores.tolist(), strict=True):
            found[i] = dict(encode_mask(mask)), score
    return found


def _check_images(
    rows: Sequence[dict[str, Any]], store: ImageStore, root: Path, stage: PredictStage
) -> None:
    """Find out before the first batch, not hours later, that an image is not there."""
    if not rows:
        raise UserError("there are no samples to predict; index the benchmark again.")
    if store.image_size != stage.policy.image_size:
        raise UserError(
            f"{store.path}: its images have {store.image_size} pixels a side, and "
            f"policy.image_size is {stage.policy.image_size}; resize them for this policy."
        )
    for row in rows:
        if row["image_id"] not in store:
            raise UserError(
                f"{store.path}: has no image {row['image_id']} of sample {row['sample_id']}; "
                "resize the images of these samples."
            )
        if not os.path.isfile(root / row["image_path"]):
            raise UserError(
                f"{root / row['image_path']}: no such image, of sample {row['sample_id']}; correct "
                "the data root."
            )


def read_original(root: Path, row: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
    """A row's image, RGB [h, w, 3]; raises UserError where it is not the one that it describes."""
    path = root / row["image_path"]
    return load_original(path, row["width"], row["height"], row["sample_id"])


def _prediction(
    sample_id: str,
    response: Response,
    answer: Answer,
    mask: Mask | None,
) -> dict[str, Any]:
    return {
        "sample_id": sample_id,
        "text": response.text,
        "think": answer.think,
        "box": answer.box,
        "points": _describe(answer.points),
        "others": [{"box": box, "points": _describe(points)} for box, points in answer.others],
        "label": answer.label,
        "mask": mask and mask[0],
        "sam_score": mask and mask[1],
        "status": answer.status,
        "response_tokens": response.tokens,
        "left_out": answer.left_out,
    }


def _describe(points: Sequence[Point]) -> list[dict[str, float]]:
    return [{"x": x, "y": y, "value": value} for x, y, value in points]
