"""Every key of the configuration as one page, from the schema itself and the files of `config/`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from samr1.config.baselines import Baseline
from samr1.config.data import Benchmark
from samr1.config.datasets import Dataset
from samr1.config.errors import read_mapping
from samr1.config.merge import ScaleSettings, WorkflowConfig, read_scale
from samr1.config.own_data import OwnData
from samr1.config.pretrain import PretrainConfig
from samr1.config.published import Published
from samr1.config.schema import RunConfig
from samr1.config.studies import Studies

_COMMAND = "python -m samr1.cli.document_config --output config/README.md"
_HEAD = f"""\
# Every key of the configuration

Written from the schema in `src/samr1/config`; do not edit it by hand, but by

    {_COMMAND}

An unknown key, a missing one and a value that cannot mean anything stop the workflow before its
first job, in one sentence. What a run comes to, complete:

    python -m samr1.cli.resolve_config --run sam_r1 --scale micro

A copy of this folder takes the place of this one with `--config config_dir=<the copy>`.
"""
_RUNS = """\
Of a run: a name in `runs.yaml` with only what differs from `defaults` of the scale file
(`scales/<scale>.yaml`), which has every key but those that may be left out.
"""
_SCALE = """\
Of a scale: `scales/<scale>.yaml`. A file may begin with `extends: <other scale>` and then holds
only what differs from that.
"""
_OF_THE_PROGRAM = ("name", "seed")  # a run's own; neither file may give them


def config_page(folder: Path) -> str:
    """The Markdown page, with the values of both large scales in `folder` (`config/`).

    Raises UserError where a file of `folder` cannot be read.
    """
    scales = {
        name: read_scale(folder / "scales" / f"{name}.yaml")[0] for name in ("micro", "paper")
    }
    runs = {name: values["defaults"] for name, values in scales.items()}
    pretrain = read_mapping(folder / "pretrain.yaml")
    choice = read_mapping(folder / "config.yaml")
    parts = [
        _HEAD,
        "## What to compute: `config.yaml`, or `--config key=value`\n",
        _table(WorkflowConfig, {"value": choice}),
        "## The scale\n",
        _SCALE,
        _table(ScaleSettings, scales),
        "## A run\n",
        _RUNS,
        _table(RunConfig, runs),
        "## A benchmark: a name in `benchmarks.yaml`\n",
        _table(Benchmark, {}),
        "## The tables, figures and claims: `published.yaml`\n",
        _table(Published, {}),
        "## The studies: `studies.yaml`\n",
        _table(Studies, {"value": read_mapping(folder / "studies.yaml")}),
        "## Somebody else's system: a name in `baselines.yaml`\n",
        _table(Baseline, {}),
        "## A data set of your own: a name in `own_data.yaml`\n",
        _table(OwnData, {}),
        "## A public data set: a name in `datasets.yaml`\n",
        _table(Dataset, {}),
        "## The cold start of the tiny models: `pretrain.yaml`\n",
        _table(PretrainConfig, {"value": pretrain}),
    ]
    return "\n".join(parts)


def _table(cls: type[BaseModel], files: Mapping[str, Mapping[str, Any]]) -> str:
    schema = cls.model_json_schema()
    lines = [
        _row(["key", "allowed", *files, "what it is"]),
        _row(["---"] * (len(files) + 3)),
    ]
    for key, field in _keys(schema, schema.get("$defs", {})):
        if cls is RunConfig and key in _OF_THE_PROGRAM:
            continue
        values = [_value(values, key, field) for values in files.values()]
        meaning = " ".join(field.get("description", "").split())
        lines.append(_row([f"`{key}`", _allowed(field), *values, meaning]))
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _keys(
    schema: Mapping[str, Any], models: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key below `schema` with its resolved field; a part that may be null has its own row."""
    for name, declared in schema["properties"].items():
        field = _resolve(declared, models)
        key = prefix + name
        below = next((f for f in [field, *field.get("anyOf", [])] if "properties" in f), None)
        listed, named = field.get("items", {}), field.get("by_name", {})
        if below is None or below is not field:
            yield key, field
        if below is not None:
            yield from _keys(below, models, f"{key}.")
        if "properties" in listed:
            yield from _keys(listed, models, f"{key}[].")
        if "properties" in named:
            yield from _keys(named, models, f"{key}.<name>.")


def _resolve(field: Mapping[str, Any], models: Mapping[str, Any]) -> dict[str, Any]:
    """`field` with the models that it refers to in their place; its own description goes first."""
    resolved = dict(field)
    if "$ref" in resolved:
        resolved = {**models[resolved.pop("$ref").rsplit("/", 1)[1]], **resolved}
    if "anyOf" in resolved:
        resolved["anyOf"] = [_resolve(one, models) for one in resolved["anyOf"]]
    if isinstance(resolved.get("items"), Mapping):
        resolved["items"] = _resolve(resolved["items"], models)
    named = {"": resolved.get("additionalProperties"), **resolved.get("patternProperties", {})}
    for below in named.values():
        if isinstance(below, Mapping):
            resolved["by_name"] = _resolve(below, models)
    return resolved


def _allowed(field: Mapping[str, Any]) -> str:
    """What may stand there, in words; what no schema can say is in the description."""
    if "anyOf" in field:
        return " or ".join(_allowed(one) for one in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = field.get("type")
    if kind == "array":
        return f"list of: {_allowed(field['items'])}"
    if kind == "object":
        return "mapping"
    words = {
        "integer": "whole number",
        "number": "number",
        "boolean": "`true`, `false`",
        "string": "text",
        "null": "`null`",
    }
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[name]:g}" for name, sign in signs.items() if name in field]
    return " ".join([words[str(kind)], ", ".join(bounds)]).strip()


def _value(values: Mapping[str, Any], key: str, field: Mapping[str, Any]) -> str:
    """The value at `key` as the file has it; the default where it leaves it out."""
    found: Any = values
    for part in key.split("."):
        if not isinstance(found, Mapping):
            return ""
        if part not in found:
            return _show(field["default"]) if "default" in field else ""
        found = found[part]
    return "(below)" if isinstance(found, Mapping) else _show(found)


def _show(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return f"`{json.dumps(value)}`"
    if isinstance(value, list):
        return "`[…]`" if any(isinstance(v, Mapping) for v in value) else f"`{value}`"
    # A commit's first digits are enough to know it by.
    text = re.sub(r"@([0-9a-f]{7})[0-9a-f]{33}$", r"@\1…", str(value))
    return f"`{text}`"
