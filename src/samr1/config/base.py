"""What every part of the configuration is made of: frozen, documented, with refusals in words."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Positive = Annotated[int, Field(ge=1)]
NonNegative = Annotated[int, Field(ge=0)]


def _check_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.]*", value):
        raise ValueError(
            "may hold small letters, digits, _ and . alone, and begins with a letter or a digit"
        )
    return value


Name = Annotated[str, Field(max_length=100), AfterValidator(_check_name)]  # of a file, too
Names = Annotated[tuple[Name, ...], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=10**9)]  # what the tables' column holds
Text = Annotated[str, Field(min_length=1, pattern=r"^[^\n|]+$")]  # it becomes a table's cell


def _check_once(values: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(values)) < len(values):
        raise ValueError("must hold each once")
    return values


Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_check_once)]


def check_word(value: str) -> str:
    if not re.fullmatch(r"[\w./][\w./@+=,:-]*", value):
        raise ValueError(
            "may hold letters, digits and ._/@+=,:- alone, since it stands in commands of rules"
        )
    return value


Word = Annotated[str, AfterValidator(check_word)]
"""What a shell reads as it stands."""


def refusal(path: str, value: object, allowed: str) -> PydanticCustomError:
    """The refusal of `value` at `path` (relative to the checking model), with what is allowed."""
    context = {"path": path, "value": value, "allowed": allowed}
    return PydanticCustomError("refused", "{allowed}", context)


class Frozen(BaseModel):
    """A part of the configuration: unknown keys are errors and values never change."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


def slice_of(part: type[Frozen], whole: Frozen) -> dict[str, Any]:
    """The values in `whole` of the keys that a `part` has."""
    return {name: getattr(whole, name) for name in part.model_fields}


class Named(Frozen):
    """The name of what a mapping holds by names."""

    name: Name
