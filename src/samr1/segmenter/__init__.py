"""The frozen SAM 2: one embedding an image, many prompts in one batch."""

from samr1.segmenter.answer_masks import answer_masks
from samr1.segmenter.segmenter import Embedding, Prompt, Segmenter, mask_iou

__all__ = ["Embedding", "Prompt", "Segmenter", "answer_masks", "mask_iou"]
