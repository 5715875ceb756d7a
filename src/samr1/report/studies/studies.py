"""All that `snakemake studies` writes, from the packed data alone, whole or in part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from samr1.config.jobs import find_study_seeds
from samr1.config.merge import Experiment
from samr1.config.names import BASE, METHOD
from samr1.config.published import Extra, Table
from samr1.config.studies import Study
from samr1.core.errors import UserError
from samr1.core.files import write_table, write_text
from samr1.report.studies.claims import judge_claims, list_claims
from samr1.report.studies.curves import curves_table, read_curves
from samr1.report.studies.power import list_power
from samr1.report.studies.study_data import StudyData
from samr1.report.tables.clipping import clipping
from samr1.report.tables.differences import (
    Comparisons,
    Pair,
    list_table_differences,
    table_pairs,
)
from samr1.report.tables.layout import Addition
from samr1.report.tables.markdown import aligned_table, join_blocks, link_to
from samr1.report.tables.measured import Measurements
from samr1.report.tables.page import publish_table, warn_of_scale

_SEEDS = (
    "A seed is that of a training's sampling and of the order of its questions; which samples of "
    "the data are drawn (`data.training.seed`) and the base policy are the same for all, so no "
    "interval holds what another draw or another base would change."
)


def find_study_data(folder: Path, experiment: Experiment) -> StudyData:
    """The data of the studies in `folder`, on the benchmarks of Tables 4 and 5."""
    tables = experiment.published.ablations.values()
    benchmarks = tuple(dict.fromkeys(one for table in tables for one in table.benchmarks))
    return StudyData(folder, benchmarks, find_study_seeds(experiment), experiment.seeds[0])


def write_studies(data: StudyData, experiment: Experiment, output: Path) -> None:
    """Write the studies' tables, comparisons and page to the folder `output`.

    The page shows the pictures that `samr1.report.studies.figures` draws there. A run that is not
    there yet has no row. Raises UserError where the base's figures are missing.
    """
    if not data.seeds(BASE):
        raise UserError(
            f"{data.folder}: lacks the metrics or overlaps of run {BASE!r}, with which the tables "
            "begin; predict and score it first (it needs no training)."
        )
    studies, published = experiment.studies, experiment.published
    pairs = _list_pairs(experiment)
    compared = data.compare(pairs, experiment.runs[METHOD].score_stage())
    comparisons = Comparisons(compared.to_pylist())
    write_table(output / "comparisons.parquet", compared)
    curves = read_curves(studies.long.runs, data)
    write_table(output / "curves.parquet", curves)
    steps = Addition((_about_curves(output), curves_table(curves)))

    tables: list[str] = []
    for name, table, held, below in _list_tables(data, experiment, steps):
        there = [pair for pair in held if data.seeds(pair[1])]
        below = list_table_differences(table, experiment.labels, there, comparisons) + below
        stage = experiment.table_stage(name, only_there(table, data))
        measurements = Measurements(data.metrics([BASE, *stage.table.labels]))
        files = output / f"{name}.parquet", output / f"{name}.md"
        tables += publish_table(stage, measurements, below, *files)

    columns = list(next(iter(published.ablations.values())).columns.values())
    claims = list_claims(judge_claims(published.claims, columns, comparisons, curves))
    power = list_power(pairs, data.benchmarks, experiment.labels, comparisons, studies.power)
    pictures = ["![Tables 4 and 5, a dot a seed](ablations.png)"]
    if curves.num_rows:
        pictures.append("![Three times the steps, a thin line a seed](long.png)")
    blocks = [claims, *pictures, "## How many seeds", power]
    _write_readme(data, tables, blocks, experiment, output)


def _list_pairs(experiment: Experiment) -> list[tuple[str, str]]:
    """All (run, baseline) that the studies compare, two runs once, whichever way round."""
    studies, published = experiment.studies, experiment.published
    ablations = [table_pairs(table) for table in published.ablations.values()]
    pairs = [(run, baseline) for table in ablations for _, run, baseline in table]
    pairs += [pair for study in studies.compared for pair in study.pairs]
    once: dict[frozenset[str], tuple[str, str]] = {}
    for pair in pairs + published.claims.pairs:
        once.setdefault(frozenset(pair), pair)
    return list(once.values())


def _list_tables(
    data: StudyData, experiment: Experiment, steps: Addition
) -> Iterator[tuple[str, Table, list[Pair], Addition]]:
    """Each table's name, the table, what it compares, and what it says below its differences.

    `steps` are said of the long trainings.
    """
    studies = experiment.studies
    for name, table in experiment.published.ablations.items():
        yield name, table, table_pairs(table), _list_clipping(table, data)
    for name, title, study, more in (
        ("table_6", "Since the paper", studies.table_6, Addition()),
        ("sweep", "Training samples, one pass each", studies.sweep, Addition()),
        ("long", "Three times the steps, with and without KL", studies.long, steps),
    ):
        pairs = [(f"`{run}`", run, baseline) for run, baseline in study.pairs]
        below = _list_changes(study, experiment) + more
        yield name, _list_runs(study, title, experiment), pairs, below


def only_there(table: Table, data: StudyData) -> Table:
    """The table without the runs of which no seed is there; what is published of them stays."""
    return table.only([run for run in table.labels if data.seeds(run)])


def _list_runs(study: Study, title: str, experiment: Experiment) -> Table:
    """A study's runs as a table like the ablations', each named with the size of its training."""
    like = next(iter(experiment.published.ablations.values()))
    rows = []
    for run in study.runs:
        train = experiment.runs[run].train
        size, samples = "all samples of its data", train.drawn_samples
        if samples is not None:
            size = f"{samples:,} samples in {train.count_steps(samples):,} steps"
        rows.append(Extra(name=f"`{run}`, {size}", run=run))
    return Table(
        title=title,
        protocols=like.protocols[:1],
        columns=like.columns,
        rows=(),
        extra=tuple(rows),
        right=like.right,
    )


def _list_changes(study: Study, experiment: Experiment) -> Addition:
    """What each run has otherwise than the baseline, in its configuration's own words."""
    own = _flat(experiment.runs[study.baseline].train_stage().model_dump(mode="json"))
    lines = []
    for run, _ in study.pairs:
        theirs = _flat(experiment.runs[run].train_stage().model_dump(mode="json"))
        keys = [key for key in theirs if key != "name" and theirs[key] != own.get(key)]
        lines.append(f"- `{run}`: " + ", ".join(f"`{key}: {theirs[key]}`" for key in keys))
    text = "\n".join([f"What is otherwise than in `{study.baseline}`:", "", *lines])
    return Addition((text,))


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested values by their dotted keys, what is null left out."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{key}.")
        elif value is not None:
            found[above + key] = value
    return found


def _list_clipping(table: Table, data: StudyData) -> Addition:
    there = only_there(table, data)
    files = [data.training(run, seed) for run in there.labels for seed in data.seeds(run)]
    return clipping(there, files) if table.clipping and files else Addition()


def _about_curves(output: Path) -> str:
    return (
        "Reward, IoU and KL of the trainings, means over spans of steps ± standard deviation over "
        f"seeds; every step: {link_to(output / 'curves.parquet', output / 'long.md')}. KL is "
        "estimated from the sampled tokens and heavy-tailed: one token that the base expects and "
        "the policy all but excludes lifts a span by itself:"
    )


def _write_readme(
    data: StudyData,
    tables: Sequence[str],
    claims: Sequence[str],
    experiment: Experiment,
    output: Path,
) -> None:
    rows = [[f"`{run}`", _list(seeds), _list(data.seeds(run))] for run, seeds in data.asked.items()]
    there = sum(len(data.seeds(run)) for run in data.asked)
    asked = sum(map(len, data.asked.values()))
    state = (
        f"All {asked} trainings are there."
        if there == asked
        else (
            f"**{there} of {asked} trainings are there**; every figure is of those, and says of "
            "how many seeds."
        )
    )
    blocks = [
        *warn_of_scale(experiment),
        "# Studies",
        "## Which of the paper's claims show up here",
        *claims,
        "## What is there",
        f"{state} {_SEEDS} Every comparison: "
        f"{link_to(output / 'comparisons.parquet', output / 'README.md')}.",
        f"All of it is made of the files in `{data.folder.name}/`, and made again by\n\n"
        f"    python -m samr1.cli.collect_study --scale {experiment.scale} --output <this folder>",
        aligned_table(["Run", "seeds asked for", "seeds there"], rows),
        *tables,
    ]
    write_text(output / "README.md", join_blocks(blocks))


def _list(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"
