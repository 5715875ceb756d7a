"""Loading a tokenizer of one kind, and no other: its class, its model, its steps are written down.

A `tokenizer.json` is a small program: rules of its own for replacing could let a text grow without
end, patterns of its own take as long as they like, and a model may drop merges at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from samr1.core.errors import UserError, refusing
from samr1.core.reading import load_object
from samr1.policy.files import SETTINGS, read_pipeline


@dataclass(frozen=True)
class TokenizerKind:
    """What a family's tokenizers are."""

    of: str  # whose, in a sentence
    classes: Mapping[str, Any]  # name in tokenizer_config.json -> class; the first where none is
    model: str
    without: frozenset[str]  # settings of the model that must not be there
    steps: Mapping[str, tuple[set[str], set[str]]]  # part -> types that it must and may have
    words: frozenset[str] = frozenset()  # the patterns by which a text may be split
    adds: bool = False  # whether tokens of its own stand around a text


def load_tokenizer(
    folder: Path, stage: Path, kind: TokenizerKind, where: str
) -> PreTrainedTokenizerBase:
    """The tokenizer of `folder`, whose files are alone in `stage`.

    Raises UserError, beginning with `where`, where it is of another kind or cannot be loaded.
    """
    if (values := read_pipeline(folder)) is not None:
        _check_pipeline(values, kind, where)
    name = load_object(stage / "tokenizer_config.json", SETTINGS).get("tokenizer_class")
    if (name := name or next(iter(kind.classes))) not in kind.classes:
        raise UserError(f"{where}: its tokenizer is a {name!r}; use {kind.of}.")
    with refusing(f"{where}: its tokenizer cannot be loaded", "get its files again"):
        tokenizer: PreTrainedTokenizerBase = kind.classes[name].from_pretrained(stage)
    # Where it came from and whether there was a network: it would be saved with it.
    for key in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(key, None)
    return tokenizer


def _check_pipeline(values: dict[str, Any], kind: TokenizerKind, where: str) -> None:
    """Raise UserError unless a tokenizer.json does to a text what those of `kind` do."""
    for part, (needed, allowed) in kind.steps.items():
        steps = _flat(values.get(part))
        found = {step["type"] for step in steps}
        if not needed <= found <= allowed or not all(_is_plain(step, kind) for step in steps):
            raise UserError(
                f"{where}: the {part} of its tokenizer.json is not as in {kind.of}; use one."
            )
    model = values.get("model")
    settings = model if isinstance(model, dict) else {"type": None}
    known = settings.get("type", kind.model) == kind.model
    if not known or any(settings.get(key) for key in kind.without):
        raise UserError(f"{where}: its tokenizer.json is no plain {kind.model}; use {kind.of}.")


def _is_plain(step: dict[str, Any], kind: TokenizerKind) -> bool:
    known = step.get("pattern") in [{"Regex": words} for words in kind.words]
    return (step["type"] != "Split" or known) and (kind.adds or not step.get("special_tokens"))


def _flat(step: object) -> list[dict[str, Any]]:
    """The steps of a sequence of steps, or the one; what is no step has the type None."""
    steps = [] if step is None else [step]
    if isinstance(step, dict) and step.get("type") == "Sequence":
        steps = [one for value in step.values() if isinstance(value, list) for one in value]
    known = [one if isinstance(one, dict) else {} for one in steps]
    return [one if isinstance(one.get("type"), str) else {"type": None} for one in known]
