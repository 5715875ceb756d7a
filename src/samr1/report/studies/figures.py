"""The pictures of the studies: Tables 4 and 5 over their seeds, and the long trainings."""

from __future__ import annotations

from pathlib import Path

from samr1.config.merge import Experiment
from samr1.config.names import BASE
from samr1.report.figures.ablations import draw_ablations
from samr1.report.figures.curves import draw_panels
from samr1.report.figures.style import write_figure
from samr1.report.studies.curves import CURVES
from samr1.report.studies.studies import only_there
from samr1.report.studies.study_data import StudyData
from samr1.report.tables.markdown import name_table
from samr1.report.tables.measured import Measurements
from samr1.report.trainings import read_trainings


def draw_studies(data: StudyData, experiment: Experiment, output: Path) -> None:
    """Draw `ablations` and `long` into the folder `output`, of the seeds that are there.

    Of the long trainings only where one is there. Raises UserError where the base has no figures.
    """
    tables = {
        name_table(name): only_there(table, data)
        for name, table in experiment.published.ablations.items()
    }
    shown = [run for table in tables.values() for run in table.labels]
    measurements = Measurements(data.metrics([BASE, *shown]))
    micro_world = experiment.scale if experiment.drawn else None
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
        runs = read_trainings(long, CURVES)
        write_figure(outputs, micro_world, lambda: draw_panels(runs, list(CURVES), 3, 2.4, 0.0))
