"""The schema of `config/studies.yaml`: which runs `snakemake studies` repeats, with which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from samr1.config.errors import read_mapping
from samr1.config.schema import Frozen, Name, NonNegative, RunConfig, parse_config, refusal
from samr1.core.errors import UserError


class Study(Frozen):
    """One study: its runs, and their seeds at each scale."""

    runs: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Trained runs of runs.yaml, in the order of the tables."""
    baseline: Name
    """The one of them that the others are compared with."""
    seeds: dict[str, Annotated[tuple[NonNegative, ...], Field(min_length=1)]]
    """By scale."""

    @model_validator(mode="after")
    def _baseline_is_a_run(self) -> Study:
        if self.baseline not in self.runs:
            raise refusal("baseline", self.baseline, f"must be one of {', '.join(self.runs)}")
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(run, baseline) of every other run."""
        return [(run, self.baseline) for run in self.runs if run != self.baseline]


class Studies(Frozen):
    """All studies."""

    ablations: Study
    """Tables 4 and 5 over several seeds."""
    sweep: Study
    """Numbers of training samples, one pass each."""
    long: Study
    """Trainings of more steps, with and without the KL term."""

    def seeds(self, scale: str) -> dict[str, tuple[int, ...]]:
        """The seeds of every run at `scale`, those of all its studies together."""
        found: dict[str, set[int]] = {}
        for study in (self.ablations, self.sweep, self.long):
            for run in study.runs:
                found.setdefault(run, set()).update(study.seeds[scale])
        return {run: tuple(sorted(seeds)) for run, seeds in found.items()}


def load_studies(path: Path, scale: str, runs: Mapping[str, RunConfig]) -> Studies:
    """Read `config/studies.yaml` for `scale` and its `runs`.

    Raises UserError naming the study where it has no seeds at `scale`, or a run is not trained.
    """
    studies = parse_config(read_mapping(path), Studies, str(path))
    for name in Studies.model_fields:
        study: Study = getattr(studies, name)
        if scale not in study.seeds:
            raise UserError(
                f"{path}: {name}.seeds: has none for scale {scale}; add a list of them."
            )
        for run in study.runs:
            if run not in runs or not runs[run].trained:
                raise UserError(
                    f"{path}: {name}.runs: {run} is no trained run of scale {scale}; add it to "
                    "runs.yaml or take it out here."
                )
    return studies
