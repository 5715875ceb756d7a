"""The paper's Tables 1-5 as printed: the typed reader of `config/published.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from samr1.core.errors import UserError

Scale = Literal["micro", "smoke", "paper"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Frozen):
    """What the paper printed in a column, and the metric that a run here is measured by."""

    label: str
    benchmark: str
    metric: str | None  # None: the paper does not say, so nothing is measured beside it


class Row(_Frozen):
    """One method of a published table."""

    method: str
    figures: dict[str, float]  # column key -> percent, as printed
    source: str
    run: str | None = None  # the run here that answers to this row
    measured_as: str | None = None  # the run's own row where it is not of the paper's scale
    scales: tuple[Scale, ...] = ("micro", "smoke", "paper")


class Extra(_Frozen):
    """A run that the paper has no row for, shown below the paper's rows."""

    name: str
    run: str
    scales: tuple[Scale, ...]


class Table(_Frozen):
    """One published table: its columns, rows and notes."""

    title: str
    protocols: tuple[Literal["seg_zero", "lisa", "rec"], ...]
    columns: dict[str, Column]
    rows: tuple[Row, ...]
    extra: tuple[Extra, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _figures_stand_in_columns(self) -> Table:
        for row in self.rows:
            unknown = sorted(row.figures.keys() - self.columns.keys())
            if unknown:
                raise ValueError(f"row {row.method!r} has a figure for no column: {unknown[0]!r}")
        return self


class Published(_Frozen):
    """All published tables, by name (`table_1` ... `table_5`)."""

    paper: str
    tables: dict[str, Table]


def load_published(path: Path) -> Published:
    """Read and check `config/published.yaml`; raises UserError naming the key that is wrong."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the YAML file of published figures.")
    try:
        return Published.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({error}); correct it.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {where}: {first['msg']}; correct this key.") from error


def published_methods(published: Published) -> list[str]:
    """The names of all rows of all tables, each once."""
    rows = (row.method for table in published.tables.values() for row in table.rows)
    return list(dict.fromkeys(rows))


def load_published_table(path: Path, name: str) -> Table:
    """The published table `name`, such as `table_1`; raises UserError where it is missing."""
    tables = load_published(path).tables
    if name not in tables:
        raise UserError(f"{path}: tables.{name} is missing; add it with its columns and rows.")
    return tables[name]
