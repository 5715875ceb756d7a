"""The words around a question: a policy's chat template, run where it can do no harm.

A template is a program (Jinja) that comes with a checkpoint. Its sandbox keeps it from the machine,
and not from looping or from filling the memory; so it is run once a policy, in a process of its own
with a few seconds and a bounded memory (`samr1.policy.rendering`), with placeholders for the system
prompt and the question. What a template would make of the text itself is thus not done.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from samr1.core.errors import UserError
from samr1.policy import rendering

IMAGE_TOKEN = "<|image_pad|>"
_SECONDS = 60  # that may pass while a busy machine gives it its few


def chat_frame(
    tokenizer: PreTrainedTokenizerBase, where: str, *, system: bool = True
) -> tuple[str, str, str]:
    """What stands before the system prompt, between it and the user's text, and after that.

    The image is in the user's turn, before the text. Without a `system` prompt all that stands
    before the user's text is between. Raises UserError, beginning with `where`, where there is no
    chat template, or it cannot be run or leaves something out.
    """
    template, special = tokenizer.chat_template, tokenizer.special_tokens_map
    if not isinstance(template, str) or not template:
        raise UserError(f"{where}: its tokenizer has no chat template; get all its files.")
    answer = _render(json.dumps({"template": template, "special": special, "system": system}))
    if "text" not in answer:
        raise UserError(
            f"{where}: its chat template cannot be used ({answer['error']}); use a Qwen-VL's."
        )
    before, *rest = answer["text"].split(rendering.SYSTEM) if system else ("", answer["text"])
    middle, *after = rest[0].split(rendering.QUESTION) if len(rest) == 1 else [""]
    if len(after) != 1 or rendering.QUESTION in before:
        raise UserError(
            f"{where}: its chat template does not write the system prompt and then the question, "
            "each once; use a Qwen-VL's."
        )
    if (images := answer["text"].count(IMAGE_TOKEN)) != 1:
        raise UserError(
            f"{where}: its chat template writes {images} image tokens for one image; use a "
            "Qwen-VL's."
        )
    return before, middle, after[0]


@lru_cache(maxsize=16)
def _render(request: str) -> dict[str, str]:
    # By its path, since the child may find no package; -P keeps this folder off its module path.
    command = [sys.executable, "-P", str(Path(rendering.__file__))]
    try:
        done = subprocess.run(
            command, input=request, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"it takes more than {_SECONDS} seconds"}
    if done.returncode:
        return {"error": f"it takes more than {rendering.SECONDS} seconds or too much memory"}
    answer: dict[str, str] = json.loads(done.stdout)
    return answer
