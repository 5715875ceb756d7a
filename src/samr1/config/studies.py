"""The schema of `config/studies.yaml`: which runs `snakemake studies` repeats, with which seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from samr1.config.base import Frozen, Name, Names, Seeds, refusal
from samr1.config.schema import RunConfig, load_stage
from samr1.core.errors import UserError


class Repeated(Frozen):
    """What is repeated, with which seeds."""

    seeds: dict[str, Seeds]
    """Lists the seeds at each scale; one that extends another has its seeds, where it has none."""

    def seeds_at(self, family: Sequence[str]) -> tuple[int, ...] | None:
        """The seeds of the first scale of `family` that has some, or None."""
        return next((self.seeds[scale] for scale in family if scale in self.seeds), None)


class Study(Repeated):
    """One study: its runs, and their seeds at each scale."""

    runs: Names
    """Trained runs of runs.yaml, in the order of the tables."""
    baseline: Name
    """The one of them that the others are compared with."""

    @model_validator(mode="after")
    def _baseline_is_a_run(self) -> Study:
        if self.baseline not in self.runs:
            raise refusal("baseline", self.baseline, f"must be one of {', '.join(self.runs)}")
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(run, baseline) of every other run."""
        return [(run, self.baseline) for run in self.runs if run != self.baseline]


class Power(Frozen):
    """What the studies are to be able to tell, declared before they are run."""

    differences: dict[str, Annotated[float, Field(gt=0, lt=1)]]
    """The smallest difference worth knowing, by metric; 0.01 is a point."""
    probability: Annotated[float, Field(gt=0.5, lt=1)]
    """That a difference of that size is found, where it is there."""
    pilot: Annotated[int, Field(ge=3)]
    """Seeds whose deviation says how many that takes."""


class Studies(Frozen):
    """All studies."""

    power: Power
    """What they are to be able to tell."""
    ablations: Repeated
    """The runs of the tables that hold their runs against one of them."""
    table_6: Study
    """What came after the paper, against the paper's own."""
    sweep: Study
    """Numbers of training samples, one pass each."""
    long: Study
    """Trainings of more steps, with and without the KL term."""

    @property
    def compared(self) -> list[Study]:
        """The studies that name their runs themselves."""
        return [self.table_6, self.sweep, self.long]


def load_studies(path: Path, family: Sequence[str], runs: Mapping[str, RunConfig]) -> Studies:
    """Read `config/studies.yaml` for a scale and its `runs`; `family` are it and those it extends.

    Raises UserError naming the study where it has no seeds at the scale, or a run is not trained.
    """
    scale = family[0]
    studies = load_stage(path, Studies)
    for name in Studies.model_fields:
        study = getattr(studies, name)
        if isinstance(study, Repeated) and study.seeds_at(family) is None:
            raise UserError(
                f"{path}: {name}.seeds: has none for scale {scale}; add a list of them."
            )
        for run in study.runs if isinstance(study, Study) else ():
            if run not in runs or not runs[run].trained:
                raise UserError(
                    f"{path}: {name}.runs: {run} is no trained run of scale {scale}; add it to "
                    "runs.yaml or take it out here."
                )
    return studies
