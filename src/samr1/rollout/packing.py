"""Packing a question's prompt once with all its responses into one sequence.

A packed row is: the prompt, then each response without its last token (nothing is read from there).
Response tokens see the prompt and the earlier tokens of their own response; every response's
position ids restart one past the prompt's largest. The prompt's last token predicts the first
token of every response.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from samr1.policy.model import EncodedPrompt

Responses = Sequence[Sequence[int]]  # G token lists of one question, the stop token included


@dataclass(frozen=True)
class Packed:
    """Q packed rows of length L, padded on the right, and where their N response tokens are.

    `input_ids` [Q, L]; `position_ids` [3, Q, L]; `owner` [Q, L]: 0 the prompt, 1..G the responses,
    -1 padding; `source` [2, N]: the (row, place) whose logits predict response token n; `target`
    [N] its id; `slot` [3, N] its (question, response, time) in the output [Q, G, T]. All int64, on
    the CPU.
    """

    input_ids: Tensor
    position_ids: Tensor
    owner: Tensor
    source: Tensor
    target: Tensor
    slot: Tensor


def packed_length(question: EncodedPrompt, responses: Responses) -> int:
    """The number of tokens in the packed row of one question."""
    return len(question.input_ids) + sum(max(len(response) - 1, 0) for response in responses)


def split_passes(
    questions: Sequence[EncodedPrompt], groups: Sequence[Responses], tokens_per_pass: int
) -> Iterator[list[int]]:
    """Indices of the questions of each pass: rows × longest row ≤ `tokens_per_pass`, at least one.

    Longest first, so that rows of a pass are alike and little is padded.
    """
    lengths = [
        packed_length(question, group) for question, group in zip(questions, groups, strict=True)
    ]
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    start = 0
    while start < len(order):
        rows = max(tokens_per_pass // lengths[order[start]], 1)
        yield order[start : start + rows]
        start += rows


def pack(questions: Sequence[EncodedPrompt], groups: Sequence[Responses]) -> Packed:
    """Pack each question with its responses; rows of unequal length are padded on the right."""
    lengths = [
        packed_length(question, group) for question, group in zip(questions, groups, strict=True)
    ]
    longest = max(lengths)
    input_ids = torch.zeros(len(questions), longest, dtype=torch.int64)
    position_ids = torch.zeros(3, len(questions), longest, dtype=torch.int64)
    owner = torch.full((len(questions), longest), -1, dtype=torch.int64)
    source: list[tuple[int, int]] = []
    target: list[int] = []
    slot: list[tuple[int, int, int]] = []
    for row, (question, group) in enumerate(zip(questions, groups, strict=True)):
        prompt = len(question.input_ids)
        input_ids[row, :prompt] = question.input_ids
        position_ids[:, row, :prompt] = question.position_ids
        owner[row, :prompt] = 0
        end = prompt
        for index, response in enumerate(group):
            start, end = end, end + max(len(response) - 1, 0)
            input_ids[row, start:end] = torch.tensor(response[:-1], dtype=torch.int64)
            position_ids[:, row, start:end] = question.response_start + torch.arange(end - start)
            owner[row, start:end] = index + 1
            for time, token in enumerate(response):
                source.append((row, start + time - 1 if time else prompt - 1))
                target.append(token)
                slot.append((row, index, time))
    return Packed(
        input_ids=input_ids,
        position_ids=position_ids,
        owner=owner,
        source=torch.tensor(source, dtype=torch.int64).reshape(-1, 2).T,
        target=torch.tensor(target, dtype=torch.int64),
        slot=torch.tensor(slot, dtype=torch.int64).reshape(-1, 3).T,
    )
