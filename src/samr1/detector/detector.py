"""Grounding DINO as `transformers` has it, for Grounded-SAM.

As in IDEA-Research/Grounded-Segment-Anything the question is lower-cased and ends with a full stop,
a box's score is the highest sigmoid of its query's logits over the tokens, and boxes above a
threshold count. It keeps them all; a question here has one answer, so the box with the highest
score is taken. (Its text threshold only chooses the words that label a box.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import GroundingDinoForObjectDetection, PreTrainedTokenizerBase
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
    GroundingDinoImageProcessorPil,
)

from samr1.core.errors import refusing
from samr1.core.weights import check_finite, safetensors_files
from samr1.detector.files import (
    TOKENIZER,
    DetectorImageKeys,
    DetectorTokenizerKeys,
    check_detector_weights,
    read_detector_config,
)
from samr1.policy.files import model_folder, processors_alone, weights_alone
from samr1.policy.objects import Box
from samr1.policy.tokenizer import load_tokenizer


@dataclass(frozen=True)
class Detection:
    """The best box, xyxy in pixels of the original, and its score in 0–1."""

    box: Box
    score: float


class Detector:
    """A frozen Grounding DINO in eval mode; nothing here keeps gradients."""

    def __init__(
        self,
        model: GroundingDinoForObjectDetection,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: GroundingDinoImageProcessorPil,
        device: str | torch.device = "cpu",
    ) -> None:
        self.model = model.eval().requires_grad_(False).to(torch.device(device))
        self.tokenizer = tokenizer
        self.image_processor = image_processor

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Detector:
        """Load a folder or a hub name; only safetensors, and no code that comes with them.

        Raises UserError where there is none, or its weights do not fit.
        """
        folder = model_folder(path)
        config = read_detector_config(folder)
        files = safetensors_files(folder)
        check_detector_weights(config, files, f"{path}")
        unloadable = f"{path}: cannot be loaded as a Grounding DINO", "get it again"
        with processors_alone(folder, DetectorTokenizerKeys, DetectorImageKeys) as stage:
            tokenizer = load_tokenizer(folder, stage, TOKENIZER, f"{path}")
            with refusing(*unloadable):
                images = GroundingDinoImageProcessorPil.from_pretrained(stage)
        with weights_alone(folder, files) as stage, refusing(*unloadable):
            model = GroundingDinoForObjectDetection.from_pretrained(
                stage, config=config, dtype=torch.float32, use_safetensors=True
            )
        check_finite(model, f"{path}")
        return cls(model, tokenizer, images, device)

    @torch.no_grad()
    def detect(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        queries: Sequence[str],
        threshold: float,
    ) -> list[Detection | None]:
        """The best box of each query in its image, RGB uint8 [h, w, 3], all of one size.

        None where no score is above `threshold`.
        """
        sizes = {image.shape for image in images}
        if len(sizes) != 1:
            raise ValueError(f"the images of a batch have one size, not {sorted(sizes)}")
        device = self.model.device
        words = self.tokenizer(
            [write_caption(query) for query in queries],
            padding=True,
            truncation=True,
            max_length=self.model.config.max_text_len,
            return_tensors="pt",
        )
        # Images of one size are not padded, so that a box's unit is the image itself.
        pixels = self.image_processor(images=list(images), return_tensors="pt")
        output = self.model(
            pixel_values=pixels["pixel_values"].to(device),
            pixel_mask=pixels["pixel_mask"].to(device),
            input_ids=words["input_ids"].to(device),
            attention_mask=words["attention_mask"].to(device),
        )
        height, width = images[0].shape[:2]
        return best_boxes(output.logits, output.pred_boxes, (width, height), threshold)


def write_caption(query: str) -> str:
    """The question as Grounding DINO is asked it.

    >>> write_caption(" The red cup"), write_caption("What holds tea.")
    ('the red cup.', 'what holds tea.')
    """
    caption = query.lower().strip()
    return caption if caption.endswith(".") else f"{caption}."


def best_boxes(
    logits: Tensor, boxes: Tensor, size: tuple[int, int], threshold: float
) -> list[Detection | None]:
    """The box with the highest score of each row, clipped to the image.

    Args:
        logits: float [B, Q, T], of query and token; −inf where there is no token.
        boxes: float [B, Q, 4], centre x, centre y, width, height as shares of the image.
        size: (width, height) of the original, pixels.
        threshold: None stands where no score is above it.

    >>> logits = torch.tensor([[[0.0, -torch.inf], [2.0, -1.0]]])
    >>> boxes = torch.tensor([[[0.5, 0.5, 1.0, 1.0], [0.25, 0.5, 0.5, 0.25]]])
    >>> best_boxes(logits, boxes, (400, 200), 0.3)[0].box
    (0.0, 75.0, 200.0, 125.0)
    """
    scores, places = logits.float().sigmoid().amax(dim=2).max(dim=1)
    found: list[Detection | None] = []
    for row, (score, place) in enumerate(zip(scores.tolist(), places.tolist(), strict=True)):
        if score <= threshold:
            found.append(None)
            continue
        x, y, width, height = boxes[row, place].double().tolist()
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        x1, y1, x2, y2 = (min(max(corner, 0.0), 1.0) for corner in corners)
        box = (x1 * size[0], y1 * size[1], x2 * size[0], y2 * size[1])
        found.append(Detection(box, score))
    return found
