"""The schema of `config/published.yaml`: what the paper printed, and what of ours stands beside it.

Which run and which benchmark stand in which table, figure and claim is written there and nowhere
else; `samr1.config.jobs` makes of it what the rules do and the plan counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from samr1.config.base import Frozen, Name, Names, Text, refusal
from samr1.config.baselines import Baseline
from samr1.config.figures import Figures
from samr1.core.errors import UserError


class Column(Frozen):
    """A pair of columns: what the paper printed, and what a run here measured."""

    label: Text
    """The heading of the pair, after "paper" and "measured"."""
    benchmark: Name
    """The benchmark (of benchmarks.yaml) whose figures they are."""
    metric: str | None
    """As metrics.parquet names it; null where the paper does not say, and nothing is measured."""


class Row(Frozen):
    """One method of a published table."""

    method: Text
    """The method's name, as printed."""
    figures: dict[str, Annotated[float, Field(ge=0, le=100)]]
    """What the paper printed, in percent, by column."""
    source: str
    """Where in the paper it stands."""
    run: Name | None = None
    """The run that answers to it; at a scale that lacks it, the measured cells stay empty."""
    measured_as: str | None = None
    """The name of its own row, where measured figures do not stand beside published ones."""


class Extra(Frozen):
    """A run that the paper has no row for, below the paper's rows."""

    name: Text
    """The name of its row."""
    run: Name
    """At a scale that lacks it, it has no row; benchmarks that it is not scored on stay empty."""


class Table(Frozen):
    """One published table, and what it says below its rows."""

    title: str
    """The heading."""
    protocols: tuple[Literal["seg_zero", "lisa", "rec"], ...]
    """How figures are scored: the first fills the main columns, the others a table below."""
    columns: dict[str, Column]
    """The columns, by a key that rows use."""
    rows: tuple[Row, ...]
    """The paper's rows."""
    extra: tuple[Extra, ...] = ()
    """Rows of our own below them."""
    notes: tuple[str, ...] = ()
    """Paragraphs of Markdown below the rows."""
    gain_on: tuple[Name, ...] = ()
    """Benchmarks on which the gain of `sam_r1` over `base` is listed."""
    every_sentence: dict[str, Name] = Field(default_factory=dict)
    """Names for a column a benchmark that asks every sentence of its refs: `base` and `sam_r1` are
    shown on both. Such a benchmark stands nowhere else."""
    overlap: bool = False
    """Whether the images are counted that a benchmark shares with the training sample."""
    compared_with: Name | None = None
    """The run that the others are held against; the studies repeat such a table over seeds."""
    right: bool = False
    """Whether it tells which object answers mean apart from how well their masks fit."""
    clipping: bool = False
    """Whether it says how often each run's clipping acted."""

    @model_validator(mode="after")
    def _figures_stand_in_columns(self) -> Table:
        for row in self.rows:
            for key in row.figures:
                if key not in self.columns:
                    allowed = f"must stand in one of the columns {', '.join(self.columns)}"
                    raise refusal("rows", f"{row.method}: {key}", allowed)
        measured = [name for name, one in self.columns.items() if one.metric]
        for key in self.every_sentence:
            if key not in measured:
                allowed = f"must name one of the measured columns {', '.join(measured)}"
                raise refusal("every_sentence", key, allowed)
        return self

    @property
    def benchmarks(self) -> list[str]:
        """The benchmarks of its columns, each once, in their order."""
        return list(dict.fromkeys(column.benchmark for column in self.columns.values()))

    @property
    def labels(self) -> dict[str, str]:
        """Its runs, those of the rows and those below, with the names of their own rows."""
        rows = {row.run: row.measured_as or row.method for row in self.rows if row.run}
        return rows | {one.run: one.name for one in self.extra if one.run not in rows}

    def only(self, runs: Collection[str]) -> Table:
        """The table without the runs that are not among `runs`; what is published stays."""
        rows = [
            row if row.run in runs else row.model_copy(update={"run": None}) for row in self.rows
        ]
        extra = [one for one in self.extra if one.run in runs]
        return self.model_copy(update={"rows": tuple(rows), "extra": tuple(extra)})


class Beating(Frozen):
    """A claim that one run is better than others."""

    claim: str
    """The claim in words."""
    run: Name
    """The run that is said to be better."""
    rivals: Names
    """The runs that it is said to beat."""


class MoreData(Frozen):
    """The claim that more training samples do not help."""

    claim: str
    """The claim in words."""
    larger: Name
    """The run of more samples."""
    smaller: Name
    """The run that it is compared with."""


class Collapse(Frozen):
    """The claim that training collapses without the KL term."""

    claim: str
    """The claim in words."""
    without_kl: Name
    """The long training without it."""
    with_kl: Name
    """The same training with it."""


class Claims(Frozen):
    """What the paper claims, and the runs of the studies that would show it."""

    beating: tuple[Beating, ...]
    """Claims that a run beats others."""
    collapse: Collapse
    """The claim that training collapses without the KL term."""
    more_data: MoreData
    """The claim that more samples do not help."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The comparisons (run, baseline) that they need."""
        beating = [(one.run, rival) for one in self.beating for rival in one.rivals]
        return [*beating, (self.more_data.larger, self.more_data.smaller)]

    @property
    def runs(self) -> list[str]:
        """The runs that they name, each once."""
        named = [run for pair in self.pairs for run in pair]
        return list(dict.fromkeys([*named, self.collapse.without_kl, self.collapse.with_kl]))


class Published(Frozen):
    """The paper's tables, figures and claims."""

    paper: str
    """The paper's title."""
    tables: dict[Name, Table]
    """The tables by name; each is a target of the workflow."""
    figures: Figures
    """The figures, with what they show."""
    claims: Claims
    """What the studies judge."""

    @model_validator(mode="after")
    def _ablations_are_there(self) -> Published:
        columns = [one for table in self.ablations.values() for one in table.columns.values()]
        if not any(column.metric for column in columns):
            allowed = "must have one with compared_with and a metric: ablations and studies show it"
            raise refusal("tables", list(self.tables), allowed)
        return self

    @property
    def methods(self) -> list[str]:
        """The names of all published rows, each once."""
        rows = (row.method for table in self.tables.values() for row in table.rows)
        return list(dict.fromkeys(rows))

    @property
    def named(self) -> Iterator[tuple[str, Collection[str], Collection[str]]]:
        """Each place that names something: the runs that must be there, and the benchmarks."""
        for name, table in self.tables.items():
            must = [table.compared_with] if table.compared_with else []
            aside = table.every_sentence.values()
            yield f"tables.{name}", must, [*table.benchmarks, *table.gain_on, *aside]
        for name, figure in self.figures:
            yield f"figures.{name}", figure.runs, figure.benchmarks
        yield "claims", self.claims.runs, []

    @property
    def ablations(self) -> dict[str, Table]:
        """The tables that hold their runs against one of them."""
        return {name: table for name, table in self.tables.items() if table.compared_with}


class TableStage(Frozen):
    """What `make_table` reads, and nothing more."""

    name: Name
    scale: str
    comparable: bool
    """Whether a measured figure may stand beside a published one; as the scale file says."""
    drawn: bool
    """Whether measured figures are of the drawn world and the tiny models."""
    checkpoint: Literal["last"]
    table: Table
    """Without the runs that the scale does not have."""
    labels: dict[Name, str]
    """The benchmarks' names, as readers know them."""
    baselines: dict[Name, Baseline]
    """Other people's systems that are measured."""


def check_published(
    path: Path,
    published: Published,
    runs: Collection[str],
    declared: Collection[str],
    benchmarks: Collection[str],
) -> None:
    """Raise UserError where `path` names a run or benchmark that is not there and must be.

    The run of a row need only be among the `declared`, of whatever scales.
    """
    for name, table in published.tables.items():
        for run in (run for run in table.labels if run not in declared):
            raise UserError(
                f"{path}: tables.{name}: there is no run {run}; add it to runs.yaml (with scales: "
                "[] where it cannot run yet), or name another here."
            )
    for place, named_runs, named_benchmarks in published.named:
        for what, file, names, known in (
            ("run", "runs.yaml", named_runs, runs),
            ("benchmark", "benchmarks.yaml", named_benchmarks, benchmarks),
        ):
            for name in names:
                if name not in known:
                    raise UserError(
                        f"{path}: {place}: there is no {what} {name} at this scale; add it to "
                        f"{file}, or name another here."
                    )
