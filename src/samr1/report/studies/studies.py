"""All that `snakemake studies` writes, from the packed data alone, whole or in part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from samr1.config.jobs import find_study_seeds
from samr1.config.merge import Experiment
from samr1.config.names import BASE, METHOD
from samr1.config.published import Table, TableStage
from samr1.config.studies import Study
from samr1.core.errors import UserError
from samr1.core.files import atomic_file, write_table
from samr1.core.schemas import COMPARISONS
from samr1.report.studies.study_data import StudyData
from samr1.report.studies.study_pages import Trained, curves_table, measured_rows, read_curves
from samr1.report.tables.claims import judge_claims, list_claims
from samr1.report.tables.clipping import clipping
from samr1.report.tables.collect import read_page
from samr1.report.tables.differences import Comparisons, list_differences, table_pairs
from samr1.report.tables.layout import TABLE, Record
from samr1.report.tables.markdown import aligned_table, link_to
from samr1.report.tables.measured import Measurements
from samr1.report.tables.page import (
    Addition,
    Outputs,
    checkpoint_note,
    micro_note,
    publish_table,
    seeds_note,
)
from samr1.train.batches import count_steps


def find_study_data(folder: Path, experiment: Experiment) -> StudyData:
    """The data of the studies in `folder`, on the benchmarks of Tables 4 and 5."""
    tables = experiment.published.ablations.values()
    benchmarks = tuple(dict.fromkeys(one for table in tables for one in table.benchmarks))
    return StudyData(folder, benchmarks, find_study_seeds(experiment), experiment.seeds[0])


def write_studies(data: StudyData, experiment: Experiment, output: Path) -> None:
    """Write the studies' tables, comparisons and page to the folder `output`.

    The page shows the pictures that `samr1.report.studies.figures` draws there. What is not there
    yet has empty cells. Raises UserError where the base's figures are missing.
    """
    if not data.seeds(BASE):
        raise UserError(
            f"{data.folder}: lacks the metrics or overlaps of run {BASE!r}, with which the tables "
            "begin; predict and score it first (it needs no training)."
        )
    studies = experiment.studies
    compared = _compare(data, experiment)
    comparisons = Comparisons(compared.to_pylist())
    write_table(output / "comparisons.parquet", compared)
    pages = [
        _write_ablation(experiment.table_stage(name), data, comparisons, output)
        for name in experiment.published.ablations
    ]
    columns = next(iter(experiment.published.ablations.values()))
    sweep = _measure(studies.sweep, data, comparisons, experiment, columns)
    pages.append(_write_page("sweep", "Training samples, one pass each", sweep, experiment, output))
    curves = read_curves(studies.long.runs, data)
    write_table(output / "curves.parquet", curves)
    text = (
        "Reward, IoU and KL of the trainings, means over spans of steps ± standard deviation over "
        f"seeds; every step: {link_to(output / 'curves.parquet', output / 'long.md')}. KL is "
        "estimated from the sampled tokens and heavy-tailed: one token that the base expects and "
        "the policy all but excludes lifts a span by itself:\n"
    )
    long = _measure(studies.long, data, comparisons, experiment, columns)
    long += Addition((text, curves_table(curves)))
    pages.append(
        _write_page("long", "Three times the steps, with and without KL", long, experiment, output)
    )
    verdicts = judge_claims(
        experiment.published.claims, list(columns.columns.values()), comparisons, curves
    )
    pictures = ["![Tables 4 and 5, a dot a seed](ablations.png)"]
    if curves.num_rows:
        pictures.append("![Three times the steps, a thin line a seed](long.png)")
    _write_readme(data, pages, [list_claims(verdicts), *pictures], experiment, output)


def _compare(data: StudyData, experiment: Experiment) -> pa.Table:
    studies, published = experiment.studies, experiment.published
    ablations = [table_pairs(table) for table in published.ablations.values()]
    pairs = [(run, baseline) for table in ablations for _, run, baseline in table]
    pairs += [pair for study in (studies.sweep, studies.long) for pair in study.pairs]
    pairs += published.claims.pairs
    stage = experiment.runs[METHOD].score_stage()
    return pa.concat_tables([COMPARISONS.empty_table(), *data.compare(pairs, stage)])


def _write_ablation(
    stage: TableStage, data: StudyData, comparisons: Comparisons, output: Path
) -> Path:
    table = ablation_there(stage.table, data)
    runs = list(table.labels)
    addition = list_differences(table.columns.values(), table_pairs(table), comparisons)
    if table.clipping and runs:
        files = [data.training(run, seed) for run in runs for seed in data.seeds(run)]
        addition += clipping(table, files)
    outputs = Outputs(output / f"{stage.name}.parquet", output / f"{stage.name}.md")
    there = stage.model_copy(update={"table": table, "baselines": {}})
    publish_table(there, Measurements(data.metrics([BASE, *runs])), addition, outputs)
    return outputs.markdown


def ablation_there(table: Table, data: StudyData) -> Table:
    """The table without the runs of which no seed is there; what is published of them stays."""
    return table.only([run for run in table.labels if data.seeds(run)])


def _measure(
    study: Study,
    data: StudyData,
    comparisons: Comparisons,
    experiment: Experiment,
    table: Table,
) -> Addition:
    """The figures of a study's runs, and their differences from its baseline."""
    trained = []
    for run in study.runs:
        train = experiment.runs[run].train
        steps = count_steps(train.drawn_samples, train)
        trained.append(Trained(run, train.drawn_samples, steps))
    columns = list(table.columns.values())
    pairs = [(f"`{run}`", run, baseline) for run, baseline in study.pairs]
    figures = measured_rows(trained, columns, data, experiment.labels)
    several = any(len(data.seeds(run)) > 1 for run in study.runs)
    how = f"All figures in percent: {seeds_note(several)}, greedy decoding, protocol `seg_zero`.\n"
    return figures + Addition((how,)) + list_differences(columns, pairs, comparisons)


def _write_page(
    name: str, title: str, content: Addition, experiment: Experiment, output: Path
) -> Path:
    page = output / f"{name}.md"
    records: list[Record] = [{"table": name, **record} for record in content.records]
    rows = [{key: None for key in TABLE.names} | record for record in records]
    metadata = {"table": name, "title": title, "scale": experiment.scale}
    metadata |= {"checkpoint": experiment.checkpoint}
    write_table(output / f"{name}.parquet", pa.Table.from_pylist(rows, TABLE), metadata)
    blocks = [f"## {title}", *content.blocks, checkpoint_note(experiment.checkpoint)]
    _write_text(page, blocks, experiment)
    return page


def _write_readme(
    data: StudyData,
    pages: Sequence[Path],
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
        "# Studies",
        "## Which of the paper's claims show up here",
        *claims,
        "## What is there",
        f"{state} Every comparison: "
        f"{link_to(output / 'comparisons.parquet', output / 'README.md')}.",
        f"All of it is made of the files in `{data.folder.name}/`, and made again by\n\n"
        f"    python -m samr1.cli.collect_study --scale {experiment.scale} --output <this folder>",
        aligned_table(["Run", "seeds asked for", "seeds there"], rows),
        *(read_page(page)[1] for page in pages),
    ]
    _write_text(output / "README.md", blocks, experiment)


def _write_text(page: Path, blocks: Sequence[str], experiment: Experiment) -> None:
    note = [micro_note(experiment.scale)] if not experiment.comparable else []
    text = "\n\n".join(block.strip() for block in (*note, *blocks))
    with atomic_file(page) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")


def _list(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"
