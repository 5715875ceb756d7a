"""From the files under `config/` to complete, validated runs.

A run is the scale file's `defaults` with its own sparse overrides from `runs.yaml` on top. A scale
file may begin with `extends: <other scale>`; its keys then override that file's.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, TypeVar

from samr1.config.base import Frozen, NonNegative, Positive, Seeds, Word, slice_of
from samr1.config.baselines import Baseline, check_baselines
from samr1.config.data import Benchmark, DataConfig
from samr1.config.errors import read_mapping, show
from samr1.config.names import BASE, METHOD, PUBLIC_DATASETS, Tracker
from samr1.config.own_data import OwnData
from samr1.config.published import Published, Table, TableStage, check_published
from samr1.config.schema import RunConfig, load_named, load_stage, parse_config
from samr1.config.studies import Studies, load_studies
from samr1.core.errors import UserError

Mapping = dict[str, Any]
Kept = TypeVar("Kept", RunConfig, Baseline)


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
    """What shows the trainings' metrics; TensorBoard's files are written, named or not."""


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

    @property
    def drawn(self) -> bool:
        """Whether figures are of the drawn world, and of the tiny models that know it alone."""
        return self.data.world is not None

    def table_stage(self, name: str, table: Table | None = None) -> TableStage:
        """The slice that table `name` depends on; a study's is a `table` of its own."""
        return TableStage(
            name=name,
            scale=self.scale,
            comparable=self.comparable,
            drawn=self.drawn,
            checkpoint=self.checkpoint,
            table=table or self.published.tables[name],
            labels=self.labels,
            baselines=self.baselines,
        )


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
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; start this in the repository's own folder.")
    files = {
        name: folder / f"{name}.yaml"
        for name in ("runs", "benchmarks", "own_data", "published", "baselines", "studies")
    }
    settings, family = _load_scale(folder / "scales", scale)
    benchmarks = load_named(files["benchmarks"], Benchmark, "benchmark")
    own = load_named(files["own_data"], OwnData, "data set")
    _refuse_taken_names(own, benchmarks, files["own_data"])
    declared = _load_runs(files["runs"], settings)
    systems = load_named(files["baselines"], Baseline, "baseline")
    scales = _list_scales(folder / "scales")
    runs = _keep_at(family, scales, declared, f"{files['runs']}: run")
    baselines = _keep_at(family, scales, systems, f"{files['baselines']}: baseline")
    for name, run in runs.items():
        where = f"{files['runs']}: run {name}"
        _refuse_unknown(f"{where}: benchmarks", run.benchmarks, "benchmark", benchmarks)
        data = [run.data] if run.data else None
        _refuse_unknown(f"{where}: data", data, f"data set in {files['own_data']}", own)
    for name in (BASE, METHOD):
        if name not in runs:
            raise UserError(f"{files['runs']}: there is no run {name} at scale {scale}; add it.")
    _refuse_idle_clipping(runs, files["runs"])
    published = load_stage(files["published"], Published)
    check_published(files["published"], published, runs, declared, benchmarks)
    check_baselines(files["baselines"], baselines, runs, benchmarks, published.methods)
    tables = {name: table.only(runs) for name, table in published.tables.items()}
    if settings.data.layout == "mirror":  # which has one sentence a ref
        aside = {name for table in tables.values() for name in table.every_sentence.values()}
        benchmarks = {name: one for name, one in benchmarks.items() if name not in aside}
        tables = {
            name: table.model_copy(update={"every_sentence": {}}) for name, table in tables.items()
        }
    return Experiment(
        **slice_of(ScaleSettings, settings),
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
        whole = {"train": {"samples": None}} if overrides.get("data") is not None else {}
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


def _keep_at(
    family: Collection[str], scales: Collection[str], declared: dict[str, Kept], where: str
) -> dict[str, Kept]:
    """What exists at a scale, which is the first of its `family`.

    Raises UserError where one names none of the `scales` that there are.
    """
    for name, one in declared.items():
        _refuse_unknown(f"{where} {name}: scales", one.scales, "scale", scales)
    return {
        name: one
        for name, one in declared.items()
        if one.scales is None or set(one.scales) & set(family)
    }


def _refuse_unknown(
    place: str, names: Collection[str] | None, what: str, known: Collection[str]
) -> None:
    """Raise UserError where a key, at `place`, names a `what` that is not among the `known`."""
    for name in names or ():
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "write it there"
            raise UserError(f"{place} = {show(name)}: there is no such {what}; {there}.")


def _refuse_taken_names(own: Collection[str], benchmarks: Collection[str], own_file: Path) -> None:
    """A table of samples is called after its benchmark or data set, and some others are there."""
    for name in [*own, *benchmarks]:
        if name in own and name in benchmarks:
            whose = "a benchmark"
        elif name in own and name in PUBLIC_DATASETS:
            whose = "a public data set"
        elif name == "pool" or name.startswith("training_"):
            whose = "a table of the workflow's own"
        else:
            continue
        file = own_file if name in own else own_file.with_name("benchmarks.yaml")
        raise UserError(f"{file}: {name}: is the name of {whose}; choose another.")


def _refuse_idle_clipping(runs: dict[str, RunConfig], runs_file: Path) -> None:
    """A run that changes a clip bound needs two updates a step, and so does its reference.

    With one update the ratio is 1 in every token, and no bound can act.
    """
    reference = runs[METHOD]
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
