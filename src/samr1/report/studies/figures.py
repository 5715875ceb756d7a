"""The pictures of the studies: Tables 4 and 5 over their seeds, and the long trainings."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from samr1.config.merge import Experiment
from samr1.config.names import BASE
from samr1.report.figures.ablations import draw_ablations
from samr1.report.figures.curves import PANELS, plot_runs
from samr1.report.figures.style import WIDTH, add_legend, write_figure
from samr1.report.studies.curves import CURVES
from samr1.report.studies.studies import only_there
from samr1.report.studies.study_data import StudyData
from samr1.report.tables.measured import Measurements
from samr1.report.trainings import Runs, read_trainings


def draw_studies(data: StudyData, experiment: Experiment, output: Path) -> None:
    """Draw `ablations` and `long` into the folder `output`, of the seeds that are there.

    Of the long trainings only where one is there. Raises UserError where the base has no figures.
    """
    tables = {
        name.replace("_", " ").capitalize(): only_there(table, data)
        for name, table in experiment.published.ablations.items()
    }
    runs = [run for table in tables.values() for run in table.labels]
    measurements = Measurements(data.metrics([BASE, *runs]))
    micro_world = None if experiment.comparable else experiment.scale
    write_figure(
        [output / "ablations.pdf", output / "ablations.png"],
        micro_world,
        lambda: draw_ablations(tables, measurements),
    )
    long = [
        data.training(run, seed) for run in experiment.studies.long.runs for seed in data.seeds(run)
    ]
    if long:
        outputs = [output / "long.pdf", output / "long.png"]
        write_figure(outputs, micro_world, lambda: _draw_long(read_trainings(long)))


def _draw_long(runs: Runs) -> Figure:
    """Reward, IoU and KL over steps: a seed a thin line, their mean a thick one."""
    figure = Figure(figsize=(WIDTH, 2.4))
    axes = figure.subplots(1, len(CURVES))
    for axis, column in zip(axes, CURVES, strict=True):
        plot_runs(axis, runs, column)
        axis.set_title(PANELS[column])
        axis.set_xlabel("Step")
    add_legend(figure, axes[0])
    return figure
