"""What the check imports, looked for before any of it is imported: all that is missing, at once."""

from __future__ import annotations

from importlib.util import find_spec

from samr1.core.errors import UserError

_MODULES = (
    *("torch", "numpy", "pyarrow", "cv2", "PIL", "yaml", "jinja2", "tqdm", "psutil", "packaging"),
    *("transformers", "tokenizers", "safetensors", "huggingface_hub", "regex", "pycocotools"),
    *("pydantic", "pydantic_core", "annotated_types", "typing_inspection"),
    *("sam2", "iopath", "portalocker", "hydra", "omegaconf", "antlr4"),
    *("deepspeed", "einops", "hjson", "msgpack"),
)


def refuse_missing() -> None:
    """Raise UserError that names every module which is not there."""
    missing = [name for name in _MODULES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"the check cannot import {', '.join(missing)}; install what is missing "
            "(envs/README.md), or bring it as wheels (envs/collect_wheels.sh)."
        )
