"""Reading YAML, and turning a refused value into one sentence for a person."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from samr1.config.plain_yaml import PlainYamlError, load_plain_yaml
from samr1.core.errors import UserError
from samr1.core.reading import read_bytes

_MOST_BYTES = 200_000  # of a file that a person writes

_LONGEST = 200  # characters of a value in a sentence


def read_mapping(path: Path) -> dict[str, Any]:
    """The YAML mapping in `path`; raises UserError where there is none, or none that is plain."""
    try:
        values = load_plain_yaml(read_bytes(path, _MOST_BYTES).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not in UTF-8 ({error}); save it so.") from error
    except PlainYamlError as error:
        raise UserError(f"{path}: {error}; correct the line.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: must be a mapping of keys to values.")
    return values


def explain(error: ValidationError, cls: type[BaseModel]) -> str:
    """The first refusal of `error` as `key.path = value: what is allowed.`"""
    return _sentence(error, cls) + "."


def _sentence(error: ValidationError, cls: type[BaseModel]) -> str:
    first = error.errors(include_url=False)[0]
    context = first.get("ctx", {})
    path = [str(part) for part in first["loc"]]
    if first["type"] == "refused":
        path.extend(context["path"].split("."))
        return f"{'.'.join(path)} = {show(context['value'])}: {context['allowed']}"
    if first["type"] == "extra_forbidden":
        return f"{'.'.join(path)}: unknown key; {_allowed_keys(cls, path)}"
    if first["type"] == "missing":
        return f"{'.'.join(path)}: missing; give it a value"
    message = (
        first["msg"]
        .removeprefix("Value error, ")
        .replace("Input should", "must")
        .replace("String should", "must")
    )
    return f"{'.'.join(path)} = {show(first['input'])}: {message}"


def show(value: object) -> str:
    """`value` as it would stand in the file, the beginning of it where it is long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _allowed_keys(cls: type[BaseModel], path: list[str]) -> str:
    """What may stand beside the last key of `path`: the nearest name, or all of them."""
    for part in path[:-1]:
        if part in cls.model_fields:  # and no place in a list or name in a mapping, of one model
            cls = _submodel(cls.model_fields[part].annotation)
    near = difflib.get_close_matches(path[-1], cls.model_fields, n=1)
    if near:
        return f"the nearest allowed key is {near[0]}"
    return f"allowed are {', '.join(cls.model_fields)}"


def _submodel(annotation: Any) -> type[BaseModel]:
    """The model in `annotation`, which is one, its union with None, or holds several."""
    options = get_args(annotation) or (annotation,)
    return next(one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
