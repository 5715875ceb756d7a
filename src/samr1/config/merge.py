"""From the files under `config/` to complete, validated runs.

A run is the scale file's `defaults` with its own sparse overrides from `runs.yaml` on top. A scale
file may begin with `extends: <other scale>`; its keys then override that file's.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from samr1.config.base import Frozen, NonNegative, Positive, Seeds, Word
from samr1.config.baselines import Baseline, check_baselines, load_baselines
from samr1.config.data import Benchmark, DataConfig
from samr1.config.errors import read_mapping, show
from samr1.config.names import METHOD, Tracker
from samr1.config.own_data import OwnData, load_own_data
from samr1.config.published import Published, Table, TableStage, check_published
from samr1.config.schema import RunConfig, load_named, load_stage, parse_config
from samr1.config.studies import Studies, load_studies
from samr1.core.errors import UserError

Mapping = dict[str, Any]


class ScaleSettings(Frozen):
    """What a scale file says beside its `defaults`."""

    data: DataConfig
    seeds: Seeds
    """Seeds of the trained runs; tables give mean and deviation where there are several."""
    checkpoint: Literal["last"]
    """The weights that every table shows: a training's last step's, none picked by its score."""
    processes: Positive
    """Processes of one training job; at paper scale one a GPU."""
    gpus: NonNegative
    """GPUs of one training job, and of one prediction job where the profile does not say fewer.
    With 0 models run on the CPU, a GPU there or not; with more they refuse to."""
    comparable: bool
    """Whether figures may stand beside published ones: of models and data as the paper's."""
    evaluated_together: Literal["run", "benchmark"]
    """Whether a job answers all benchmarks that `all` shows a run on, its models loaded once, or
    one benchmark; what is done is never done again."""
    evaluation_shards: Positive
    """Jobs that what is evaluated together is dealt to, each with its part of every benchmark."""


class ScaleConfig(ScaleSettings):
    """A scale file, `extends` resolved."""

    defaults: dict[str, Any]
    """Every run's, before its overrides."""


class WorkflowConfig(Frozen):
    """`config/config.yaml`, with what `--config` changed."""

    scale: Word
    """Which `scales/<scale>.yaml`."""
    results: Word
    """Root folder of everything that is produced."""
    config_dir: Word
    """Folder with `scales/` and the other files of `config/`."""
    log_to: tuple[Tracker, ...]
    """Show the trainings' metrics there too, beside the files of TensorBoard that always are."""


class Experiment(ScaleSettings):
    """Everything that is configured at one scale."""

    scale: str
    family: tuple[str, ...]
    """The scale and those that it extends."""
    runs: dict[str, RunConfig]
    """At their first seed; only those that exist at this scale."""
    benchmarks: dict[str, Benchmark]
    own_data: dict[str, OwnData]
    """Data of one's own; its test part is a benchmark of that name."""
    studies: Studies
    published: Published
    """Without the runs that do not exist at this scale."""
    baselines: dict[str, Baseline]
    """Those of this scale."""

    @property
    def main_benchmarks(self) -> list[str]:
        """All benchmarks but those that ask more sentences of another, below a table."""
        tables = self.published.tables.values()
        aside = {name for table in tables for name in table.every_sentence.values()}
        return [name for name in self.benchmarks if name not in aside]

    @property
    def labels(self) -> dict[str, str]:
        """The benchmarks' names as readers know them."""
        return {name: one.label or name for name, one in self.benchmarks.items()}

    def table_stage(self, name: str, table: Table | None = None) -> TableStage:
        """The slice that table `name` depends on; a study's is a `table` of its own."""
        return TableStage(
            name=name,
            scale=self.scale,
            comparable=self.comparable,
            checkpoint=self.checkpoint,
            table=table or self.published.tables[name],
            labels=self.labels,
            baselines=self.baselines,
        )

    @property
    def image_size(self) -> int:
        """Side in pixels of the resized images of most runs; any other has images of its own."""
        return next(iter(self.runs.values())).policy.image_size


def merge(defaults: Mapping, overrides: Mapping) -> Mapping:
    """`defaults` with `overrides` on top, mapping by mapping; neither is changed.

    >>> merge({"train": {"steps": 50, "kl_coef": 0.005}}, {"train": {"kl_coef": 0.0}})
    {'train': {'steps': 50, 'kl_coef': 0.0}}
    """
    merged = dict(defaults)
    for key, value in overrides.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            value = merge(below, value)
        merged[key] = value
    return merged


def load_experiment(folder: Path, scale: str) -> Experiment:
    """Read and validate `folder`'s scale file, runs and benchmarks.

    Raises UserError of one sentence naming file, run, key, value and what is allowed.
    """
    files = {
        name: folder / f"{name}.yaml"
        for name in ("runs", "benchmarks", "own_data", "published", "baselines", "studies")
    }
    settings, family = _load_scale(folder / "scales", scale)
    declared = _load_runs(files["runs"], settings)
    known = _list_scales(folder / "scales")
    for name, run in declared.items():
        _refuse_unknown_scales(run.scales or (), known, f"{files['runs']}: run {name}")
    runs = {
        name: run
        for name, run in declared.items()
        if run.scales is None or set(run.scales) & set(family)
    }
    _refuse_idle_clipping(runs, files["runs"])
    benchmarks = load_named(files["benchmarks"], Benchmark, "benchmark")
    _refuse_unknown_benchmarks(runs, benchmarks, files["runs"])
    own = load_own_data(files["own_data"])
    _refuse_taken_names(own, benchmarks, files["own_data"])
    _refuse_unknown_data(runs, own, files["runs"], files["own_data"])
    published = load_stage(files["published"], Published)
    check_published(files["published"], published, runs, declared, benchmarks)
    baselines = load_baselines(files["baselines"], family)
    check_baselines(files["baselines"], baselines, runs, benchmarks, published.methods)
    tables = {name: table.only(runs) for name, table in published.tables.items()}
    if settings.data.layout == "mirror":  # which has one sentence a ref
        aside = {name for table in tables.values() for name in table.every_sentence.values()}
        benchmarks = {name: one for name, one in benchmarks.items() if name not in aside}
        tables = {
            name: table.model_copy(update={"every_sentence": {}}) for name, table in tables.items()
        }
    return Experiment(
        **{name: getattr(settings, name) for name in ScaleSettings.model_fields},
        scale=scale,
        family=family,
        runs=runs,
        benchmarks=benchmarks,
        own_data=own,
        studies=load_studies(files["studies"], family, runs),
        published=published.model_copy(update={"tables": tables}),
        baselines=baselines,
    )


def _list_scales(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _load_scale(folder: Path, scale: str) -> tuple[ScaleConfig, tuple[str, ...]]:
    """The scale, and the names of it and of those that it extends."""
    file = folder / f"{scale}.yaml"
    if not os.path.isfile(file):
        raise UserError(f"scale = {show(scale)}: must be one of {', '.join(_list_scales(folder))}.")
    values, family = read_scale(file)
    settings = parse_config(values, ScaleConfig, str(file))
    # Checked alone first: what is wrong in a run after this, the run itself brought in.
    plain = settings.defaults | {"name": "defaults", "seed": settings.seeds[0]}
    parse_config(plain, RunConfig, f"{file}: defaults")
    return settings, family


def _load_runs(file: Path, settings: ScaleConfig) -> dict[str, RunConfig]:
    """All runs, of whatever scales, with the defaults of this one."""
    runs = {}
    for name, overrides in read_mapping(file).items():
        where = f"{file}: run {name}"
        if not isinstance(overrides, dict):
            raise UserError(
                f"{where} = {show(overrides)}: must be a mapping of overrides, or {{}}."
            )
        if clash := {"name", "seed"} & set(overrides):
            raise UserError(f"{where}: {min(clash)}: is not a run's to choose; remove it.")
        # Data of one's own is drawn whole, where the run does not say how many questions of it.
        whole = {"train": {"samples": None}} if "data" in overrides else {}
        merged = merge(merge(settings.defaults, whole), overrides)
        fixed = {"name": name, "seed": settings.seeds[0]}
        runs[name] = parse_config(merged | fixed, RunConfig, where)
    return runs


def find_run(experiment: Experiment, name: str) -> RunConfig:
    """The run that `--run` names; raises UserError where the scale has none of that name."""
    if name not in experiment.runs:
        raise UserError(
            f"--run {name}: no such run at scale {experiment.scale}; there are "
            f"{', '.join(experiment.runs)}."
        )
    return experiment.runs[name]


def read_scale(path: Path, above: tuple[str, ...] = ()) -> tuple[Mapping, tuple[str, ...]]:
    """The scale file on top of the one that it extends, and the names of all of them.

    Raises UserError where one extends itself or one of `above`, which extend this one.
    """
    values, family = read_mapping(path), (*above, path.stem)
    if "extends" not in values:
        return values, family
    extends = values.pop("extends")
    if not isinstance(extends, str) or Path(extends).name != extends or extends in family:
        allowed = "must be the name of another scale, which does not extend this one"
        raise UserError(f"{path}: extends = {show(extends)}: {allowed}.")
    below, family = read_scale(path.with_name(f"{extends}.yaml"), family)
    return merge(below, values), family


def _refuse_unknown_benchmarks(
    runs: dict[str, RunConfig], benchmarks: dict[str, Benchmark], runs_file: Path
) -> None:
    for run in runs.values():
        for name in run.benchmarks or ():
            if name not in benchmarks:
                raise UserError(
                    f"{runs_file}: run {run.name}: benchmarks = {show(name)}: there is no such "
                    f"benchmark; there are {', '.join(benchmarks)}."
                )


def _refuse_unknown_scales(scales: Collection[str], known: Collection[str], where: str) -> None:
    """Raise UserError where what is only there at some scales would be at none."""
    for scale in scales:
        if scale not in known:
            raise UserError(
                f"{where}: scales = {show(scale)}: there is no such scale; there are "
                f"{', '.join(known)}."
            )


def _refuse_taken_names(own: Collection[str], benchmarks: Collection[str], own_file: Path) -> None:
    """A table of samples is called after its benchmark or data set, and some others are there."""
    for name in [*own, *benchmarks]:
        of_both = name in own and name in benchmarks
        if of_both or name == "pool" or name.startswith("training_"):
            whose = "a benchmark" if of_both else "a table of the workflow's own"
            file = own_file if name in own else own_file.with_name("benchmarks.yaml")
            raise UserError(f"{file}: {name}: is the name of {whose}; choose another.")


def _refuse_unknown_data(
    runs: dict[str, RunConfig], own: Collection[str], runs_file: Path, own_file: Path
) -> None:
    there = f"there are {', '.join(own)}" if own else "write it there"
    for run in runs.values():
        if run.data is not None and run.data not in own:
            raise UserError(
                f"{runs_file}: run {run.name}: data = {show(run.data)}: there is no such data set "
                f"in {own_file}; {there}."
            )


def _refuse_idle_clipping(runs: dict[str, RunConfig], runs_file: Path) -> None:
    """A run that changes a clip bound needs two updates a step, and so does its reference.

    With one update the ratio is 1 in every token, and no bound can act.
    """
    reference = runs.get(METHOD)
    if reference is None:
        return
    bounds = (reference.train.clip_low, reference.train.clip_high)
    trained = [run for run in runs.values() if run.trained]
    changed = [run for run in trained if (run.train.clip_low, run.train.clip_high) != bounds]
    for run in changed + ([reference] if changed else []):
        if run.train.updates_per_rollout * run.train.updates_per_epoch < 2:
            raise UserError(
                f"{runs_file}: run {run.name}: train.updates_per_rollout = "
                f"{run.train.updates_per_rollout}: must be >= 2 where an update takes all "
                f"questions (train.questions_per_update), because {changed[0].name} changes "
                "a clip bound of sam_r1 and with one update no bound can act."
            )
