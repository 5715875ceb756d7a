"""The schema of `config/baselines.yaml`: other people's systems, measured by this workflow.

A baseline is measured from files that the system's own code wrote, or by a Grounding DINO whose box
our segmenter turns into a mask (Grounded-SAM). A system that speaks a dialect is a run instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from samr1.config.base import Frozen, Name, Positive, Text, refusal
from samr1.config.errors import show
from samr1.config.schema import RunConfig, SegmenterConfig
from samr1.core.errors import UserError
from samr1.core.hub import ModelPath


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class DetectorConfig(Frozen):
    path: ModelPath
    """Folder of a Grounding DINO (as `transformers` saves it), or `owner/name@commit`."""
    box_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """A box needs a score above it; where none has, there is no answer. Grounded-SAM's default."""
    batch_size: Positive = 8
    """Questions detected together; their images have one size."""


class Baseline(Frozen):
    """One system: how it is measured, and where its figures stand in the tables."""

    label: Text
    """What the tables call it."""
    method: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = ()
    """The published rows (`method` in published.yaml) that it stands beside at paper scale."""
    scales: tuple[str, ...] = ("paper",)
    """The scales whose data it answers, those that extend one included."""
    predictions: dict[Name, Text] = Field(default={})
    """For each benchmark a folder of PNG masks, a COCO-results .json or a predictions .parquet."""
    detector: DetectorConfig | None = None
    """The Grounding DINO that answers, instead of files."""

    @model_validator(mode="after")
    def _one_way(self) -> Baseline:
        if bool(self.predictions) == (self.detector is not None):
            raise refusal(
                "predictions",
                self.predictions,
                "must be given where there is no detector, and only there",
            )
        return self


class DetectStage(Frozen):
    """What `predict_grounding_dino` reads, and nothing more."""

    name: Name
    threads: Positive
    detector: DetectorConfig
    segmenter: SegmenterConfig


def detect_stage(name: str, baseline: Baseline, run: RunConfig) -> DetectStage:
    """A detector's slice of the configuration; threads and segmenter are those of `run`."""
    if baseline.detector is None:
        raise ValueError(f"{name} has no detector")
    return DetectStage(
        name=name, threads=run.threads, detector=baseline.detector, segmenter=run.segmenter
    )


def check_baselines(
    path: Path,
    baselines: Mapping[str, Baseline],
    runs: Collection[str],
    benchmarks: Collection[str],
    methods: Collection[str],
) -> None:
    """Raise UserError where a baseline of `path` does not go with the rest of the configuration.

    It may not have the name of a run, answer a benchmark that there is none of, or stand beside a
    published row (`methods`) that there is none of or that another stands beside.
    """
    beside: dict[str, str] = {}
    for name, baseline in baselines.items():
        where = f"{path}: baseline {name}"
        if name in runs:
            raise UserError(f"{where}: runs.yaml has a run of that name; choose another.")
        for benchmark in baseline.predictions:
            if benchmark not in benchmarks:
                raise UserError(
                    f"{where}: predictions.{benchmark}: there is no such benchmark; there are "
                    f"{', '.join(benchmarks)}."
                )
        for method in baseline.method:
            if method not in methods:
                raise UserError(
                    f"{where}: method = {show(method)}: no published row has that name; there are "
                    f"{', '.join(methods)}."
                )
            if method in beside:
                raise UserError(
                    f"{where}: method = {show(method)}: {beside[method]} stands beside that row; "
                    "leave it out here, and it gets a row of its own."
                )
            beside[method] = name
