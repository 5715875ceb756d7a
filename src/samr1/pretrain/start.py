"""Beginning from an older policy, whose vocabulary lacks the words that are new since."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen2_5_VLForConditionalGeneration

from samr1.policy.model import Policy


def start_from(
    model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerBase, older: Policy
) -> None:
    """Give `model` the weights of `older`, each token's row of the embedding by the token's text.

    The two differ in their vocabularies alone.
    """
    rows = model.get_input_embeddings().get_parameter("weight").detach().clone()
    known = older.model.get_input_embeddings().get_parameter("weight").detach()
    weights = {
        name: rows if tensor.data_ptr() == known.data_ptr() else tensor
        for name, tensor in older.model.state_dict().items()
    }
    _carry_over(rows, tokenizer, known, older.tokenizer)
    model.load_state_dict(weights)


def _carry_over(
    rows: Tensor, tokenizer: PreTrainedTokenizerBase, known: Tensor, older: PreTrainedTokenizerBase
) -> None:
    """Fill `rows` [V, hidden]: a token's own row, or the mean of those that it was split into."""
    ids = older.get_vocab()
    for token, index in tokenizer.get_vocab().items():
        if token in ids:
            rows[index] = known[ids[token]]
        else:
            pieces = older(tokenizer.convert_tokens_to_string([token]))["input_ids"]
            rows[index] = known[torch.tensor(pieces)].mean(0)
