"""SAM 2 on still images: an image is embedded once, and all prompts on it are decoded together.

The computation is that of `SAM2ImagePredictor` in facebookresearch/sam2, without torchvision: the
image is resized (bilinear, antialiased) to the model's square input and normalised; a box is two
points labelled 2 and 3 ahead of the reference points (1 on the object, 0 off it); of the three
masks the one with the highest predicted score is taken, as Seg-Zero does. Two deviations, neither
of which changes a mask: only the chosen mask is brought to the image's size, and prompts with
equally many points share a batch. (Padding shorter prompts with SAM's "not a point" would put them
all into one batch, but the padding takes part in attention and moves the mask.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from samr1.core.errors import UserError
from samr1.segmenter.build import load_sam2
from samr1.segmenter.files import find_sam2

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
BOX_LABELS = (2, 3)  # the prompt encoder's labels of a box's first and second corner

# Images in one forward pass: more gain little, and at 1024×1024 each takes 1 GB.
EMBEDDED_TOGETHER = 4


@dataclass(frozen=True)
class Prompt:
    """What SAM is told about one object, in pixels of the original image.

    `box` is xyxy; a point is (x, y, value), value 1 on the object and 0 off it. One of the two must
    be there.
    """

    box: tuple[float, float, float, float] | None
    points: tuple[tuple[float, float, int], ...] = ()

    def __post_init__(self) -> None:
        if self.box is None and not self.points:
            raise ValueError("a prompt needs a box or a point")


@dataclass(frozen=True)
class Embedding:
    """One image as SAM 2 sees it: what all prompts on it share."""

    image: Tensor  # [1, C, s/16, s/16] for an input of side s
    high_res: tuple[Tensor, ...]  # [1, C/8, s/4, s/4] and [1, C/4, s/8, s/8]; empty if not used
    height: int  # of the original image, pixels
    width: int


class Segmenter:
    """A frozen SAM 2 in eval mode; nothing here keeps gradients."""

    def __init__(self, model: SAM2Base, device: str | torch.device = "cpu") -> None:
        """Freeze `model` on `device`."""
        self.model = model.eval().requires_grad_(False).to(device)
        self.image_size: int = model.image_size
        self._mean = torch.tensor(IMAGENET_MEAN, device=device)[:, None, None]
        self._std = torch.tensor(IMAGENET_STD, device=device)[:, None, None]

    @classmethod
    def load(
        cls,
        path: str | Path,
        image_size: int | None = None,
        device: str | torch.device = "cpu",
    ) -> Segmenter:
        """The segmenter at `path`, whose square input has `image_size` pixels a side, if given.

        `path` is a folder, one of Meta's .pt files or its hub name (`samr1.segmenter.files`).

        Raises UserError when a file is missing, the weights do not fit, or its model has another
        input size.
        """
        model = load_sam2(find_sam2(path))
        if image_size is not None and model.image_size != image_size:
            raise UserError(
                f"{path}: the segmenter's input is {model.image_size} pixels a side, not "
                f"{image_size}; set segmenter.image_size to {model.image_size}."
            )
        return cls(model, device)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._mean.device

    def embed(self, image: np.ndarray) -> Embedding:
        """The embedding of one RGB image, uint8 [h, w, 3], at its original size."""
        return self.embed_batch([image])[0]

    @torch.no_grad()
    def embed_batch(self, images: Sequence[np.ndarray]) -> list[Embedding]:
        """The embeddings of B RGB images, uint8 [h, w, 3] each, sizes as they come."""
        pixels = torch.stack([self._pixels(image) for image in images])  # [B, 3, s, s]
        levels = self.model.forward_image(pixels)["backbone_fpn"]  # [B, C, h, w], finest first
        *fine, coarse = levels[-self.model.num_feature_levels :]
        if self.model.directly_add_no_mem_embed:
            # Trained on videos, where a frame without a memory gets this in the memory's place.
            coarse = coarse + self.model.no_mem_embed.view(1, -1, 1, 1)
        return [
            Embedding(
                image=coarse[i : i + 1],
                high_res=tuple(level[i : i + 1] for level in fine),
                height=image.shape[0],
                width=image.shape[1],
            )
            for i, image in enumerate(images)
        ]

    def embed_each(self, images: Iterable[np.ndarray]) -> Iterator[Embedding]:
        """The embedding of each image, in order; a few images are taken and embedded at a time."""
        rest = iter(images)
        while some := list(islice(rest, EMBEDDED_TOGETHER)):
            yield from self.embed_batch(some)

    @torch.no_grad()
    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
        """The best mask for each of N prompts on one image.

        Returns masks bool [N, h, w] at the original size and SAM's own scores float32 [N], both on
        the segmenter's device, in the prompts' order.
        """
        height, width = embedding.height, embedding.width
        masks = torch.zeros(len(prompts), height, width, dtype=torch.bool, device=self.device)
        scores = torch.zeros(len(prompts), device=self.device)
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for i, prompt in enumerate(prompts):
            by_length[len(prompt.points) + (2 if prompt.box is not None else 0)].append(i)
        for members in by_length.values():
            logits, best = self._decode(embedding, [prompts[i] for i in members])
            full = F.interpolate(
                logits[:, None], (height, width), mode="bilinear", align_corners=False
            )
            rows = torch.tensor(members, device=self.device)
            masks[rows], scores[rows] = full[:, 0] > 0, best
        return masks, scores

    def _pixels(self, image: np.ndarray) -> Tensor:
        """uint8 [h, w, 3] to the model's normalised input float32 [3, s, s]."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected uint8 [h, w, 3], got {image.dtype} {list(image.shape)}")
        # np.array copies: an array that came from a file may be read-only, which torch warns about.
        chw = torch.from_numpy(np.array(image)).to(self.device).permute(2, 0, 1)
        resized = F.interpolate(
            chw[None].float() / 255,
            (self.image_size, self.image_size),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )[0]
        return (resized - self._mean) / self._std

    def _decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
        """Low-resolution logits [N, s/4, s/4] of the best masks and their scores [N].

        All prompts have equally many points, a box counting as two.
        """
        coords, labels = self._points(embedding, prompts)
        sparse, dense = self.model.sam_prompt_encoder(
            points=(coords, labels), boxes=None, masks=None
        )
        logits, scores, _, _ = self.model.sam_mask_decoder(
            image_embeddings=embedding.image,
            image_pe=self.model.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
            repeat_image=True,
            high_res_features=list(embedding.high_res),
        )  # [N, 3, s/4, s/4], [N, 3]
        best = scores.argmax(dim=1)
        rows = torch.arange(len(prompts), device=self.device)
        return logits[rows, best].float(), scores[rows, best].float()

    def _points(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
        """Coordinates [N, K, 2] in the model's input frame and labels [N, K]; boxes come first."""
        coords: list[list[tuple[float, float]]] = []
        labels: list[list[int]] = []
        for prompt in prompts:
            corners = [] if prompt.box is None else [prompt.box[:2], prompt.box[2:]]
            coords.append([*corners, *((x, y) for x, y, _ in prompt.points)])
            labels.append([*BOX_LABELS[: len(corners)], *(value for _, _, value in prompt.points)])
        size = torch.tensor([embedding.width, embedding.height], device=self.device)
        original = torch.tensor(coords, dtype=torch.float32, device=self.device)
        return (
            original / size * self.image_size,
            torch.tensor(labels, dtype=torch.int32, device=self.device),
        )


def mask_iou(masks: Tensor, truth: Tensor) -> Tensor:
    """IoU float64 [N] of masks bool [N, h, w] with one truth bool [h, w], on their device.

    Two empty masks have IoU 0, as in Seg-Zero's evaluation.
    """
    # In float32 an IoU of exactly 4/5 would come out above the reward's threshold of 0.8.
    intersection = (masks & truth).flatten(1).sum(dim=1)
    union = (masks | truth).flatten(1).sum(dim=1)
    return intersection.double() / union.clamp(min=1)
