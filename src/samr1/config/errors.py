"""Reading YAML, and turning a refused value into one sentence for a person."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from samr1.config.plain_yaml import PlainYamlError, load_plain_yaml
from samr1.core.errors import UserError
from samr1.core.reading import read_bytes

_MOST_BYTES = 200_000  # of a file that a person writes

_OF_PYDANTIC = re.compile(r"(dict|tuple|list)\[.*\]|\[key\]")  # a place that no file has
_LONGEST = 200  # characters of a value in a sentence


def read_mapping(path: Path) -> dict[str, Any]:
    """The YAML mapping in `path`; raises UserError where there is none, or none that is plain."""
    try:
        values = load_plain_yaml(read_bytes(path, _MOST_BYTES).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not in UTF-8 ({error}); save it so.") from error
    except PlainYamlError as error:
        raise UserError(f"{path}: {error}.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: must be a mapping of keys to values.")
    return values


def explain(error: ValidationError, cls: type[BaseModel]) -> str:
    """The first refusal of `error` as `key.path = value: what is allowed.`"""
    return _sentence(error, cls) + "."


def _sentence(error: ValidationError, cls: type[BaseModel]) -> str:
    first = error.errors(include_url=False)[0]
    context = first.get("ctx", {})
    path = [str(part) for part in first["loc"] if not _OF_PYDANTIC.fullmatch(str(part))]
    if first["type"] == "refused":
        path.extend(context["path"].split("."))
        return f"{'.'.join(path)} = {show(context['value'])}: {context['allowed']}"
    if first["type"] == "extra_forbidden":
        return f"{'.'.join(path)}: unknown key; {_allowed_keys(cls, path)}"
    if first["type"] == "missing":
        return f"{'.'.join(path)}: missing; give it a value"
    message = re.sub(r"^Value error, |^(Input|String|Dictionary|Tuple) should", _must, first["msg"])
    place = f"{'.'.join(path)} = " if path else ""
    return f"{place}{show(first['input'])}: {message}"


def find_unlike(given: Any, taken: Any) -> Iterator[tuple[str, Any]]:
    """Where yes, no or a text such as "010" was taken for a number: its path and what it was."""
    if isinstance(taken, BaseModel):
        taken = {name: getattr(taken, name) for name in type(taken).model_fields}
    if isinstance(given, dict) and isinstance(taken, dict):
        numbers = {str(key) for key in taken if type(key) is int}
        for key, value in given.items():
            if numbers and str(key) not in numbers:
                yield str(key), key
            for path, found in find_unlike(value, taken.get(key)):
                yield f"{key}.{path}".rstrip("."), found
    elif isinstance(given, (list, tuple)) and isinstance(taken, (list, tuple)):
        for place, (value, one) in enumerate(zip(given, taken, strict=False)):
            for path, found in find_unlike(value, one):
                yield f"{place}.{path}".rstrip("."), found
    elif type(taken) in (int, float) and isinstance(given, (bool, str)):
        as_it_is = isinstance(given, str) and (type(taken) is float or given == str(taken))
        if not as_it_is:
            yield "", given


def _must(found: re.Match[str]) -> str:
    return "must" if found[1] else ""


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
