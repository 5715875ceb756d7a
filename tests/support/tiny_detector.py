"""A random Grounding DINO of a few thousand numbers, of the real classes."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    PreTrainedTokenizerFast,
    SwinConfig,
)
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
    GroundingDinoImageProcessorPil,
)

from samr1.detector import Detector

# The ids of [CLS], [SEP], "." and "?" are Bert's own: the model looks for them in the text.
_SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}


def tiny_detector(seed: int = 0) -> Detector:
    """Random weights, wide enough that its boxes and scores differ."""
    torch.manual_seed(seed)
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=4,
            out_indices=[2, 3, 4],
        ),
        text_config=BertConfig(
            vocab_size=1100,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        ),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=12,
        max_text_len=64,
        dropout=0.0,
        fusion_droppath=0.0,
    )
    model = GroundingDinoForObjectDetection(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.05 * torch.randn_like(weight)
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 100})
    return Detector(model, _tokenizer(), images)


def _tokenizer() -> PreTrainedTokenizerFast:
    """One token a letter."""
    letters = {
        f"{mark}{chr(97 + i)}": 200 + 26 * (mark != "") + i
        for mark in ("", "##")
        for i in range(26)
    }
    vocabulary = _SPECIAL | letters
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 102), ("[CLS]", 101))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=64,
    )  # fmt: skip


def save_detector(detector: Detector, folder: Path) -> None:
    """Write it as an ordinary `transformers` folder."""
    detector.model.save_pretrained(folder)
    detector.tokenizer.save_pretrained(folder)
    detector.image_processor.save_pretrained(folder)
