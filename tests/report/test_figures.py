"""Figures as they are written: whole, the same bytes twice, or not at all; and what they draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from answer_world import answer, fill, predictions, sample, samples, write_image, write_training
from commands import call
from made_up_metrics import PUBLISHED, RUNS, metric_rows, write_metrics, write_stage
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from samr1.cli import draw_figure
from samr1.config.published import Extra, Published
from samr1.config.schema import load_stage
from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.data.masks import encode_mask
from samr1.report.figures import style
from samr1.report.figures.ablations import draw_ablations
from samr1.report.figures.curves import draw_curves, plot_runs
from samr1.report.figures.examples import draw_examples
from samr1.report.figures.style import FAINT, GROUND, INK, LINES, line_look, write_figure
from samr1.report.predictions import Answers
from samr1.report.tables.measured import Measurements
from samr1.report.trainings import read_trainings


def draw(figure: str, folder: Path, *arguments: object) -> list[Path]:
    """Run the figures' command; the PDF and the PNG."""
    outputs = [folder / f"{figure}.pdf", folder / f"{figure}.png"]
    call(draw_figure.main, figure, *arguments, output=outputs, micro_world="smoke")
    return outputs


def count_colour(picture: Path, colour: str) -> int:
    """How many of a picture's pixels have about this colour."""
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    return int((np.abs(pixels - 255 * np.array(to_rgb(colour))).sum(-1) < 30).sum())


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "DPI", 60)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, list[object]]:
    """The arguments of every figure: three samples, two runs' answers, two seeds of a training."""
    table = tmp_path / "b.parquet"
    write_table(table, samples([sample()] * 3))
    write_image(tmp_path)
    answers: list[object] = ["--samples", table, "--titles", "B", "--predictions"]
    for run, right in (("any", 30), ("inside", 20)):
        read = answer((10, 10, right, 20), [(15, 15, 1), (55, 35, 0)])
        path = tmp_path / run / "seed_0/b.parquet"
        write_table(path, predictions([read, read, answer(None)]))
        answers.append(path)
    training: list[object] = ["--training"]
    for run, seed in (("sam_r1", 0), ("sam_r1", 1), ("no_kl", 0)):
        training.append(write_training(tmp_path, run, seed, reward_total=[1.0, 2.0, 3.0]))
    rows = [row for run in RUNS for seed in (0, 1) for row in metric_rows(run, 0.5, seed)]
    tables = [write_stage(f"table_{number}", tmp_path, "smoke") for number in (4, 5)]
    return {
        "ablations": ["--tables", *tables, "--metrics", write_metrics(tmp_path, rows)],
        "curves": training,
        "examples": [*answers, "--root", tmp_path],
        "figure_4": training + answers,
    }


@pytest.mark.parametrize("figure", draw_figure.NEEDS)
def test_every_figure_is_drawn_whole_for_print_and_screen(
    figure: str, inputs: dict[str, list[object]], tmp_path: Path
) -> None:
    pdf, png = draw(figure, tmp_path, *inputs[figure])
    assert pdf.read_bytes().startswith(b"%PDF")
    assert count_colour(png, GROUND) > 10_000 and count_colour(png, INK) > 20


def test_a_figure_is_the_same_bytes_twice(inputs: dict[str, list[object]], tmp_path: Path) -> None:
    first = [path.read_bytes() for path in draw("figure_4", tmp_path, *inputs["figure_4"])]
    again = [path.read_bytes() for path in draw("figure_4", tmp_path, *inputs["figure_4"])]
    assert again == first


def test_a_figure_is_refused_whole(
    inputs: dict[str, list[object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(tmp_path / "b.parquet", samples([sample()] * 4))
    with pytest.raises(UserError, match=r"seed_0/b.parquet: 1 of 4 samples have no answer"):
        draw("figure_4", tmp_path, *inputs["figure_4"])
    with pytest.raises(SystemExit):
        draw("figure_4", tmp_path, *inputs["curves"])
    assert "figure_4 needs --samples" in capsys.readouterr().err
    assert not [*tmp_path.glob("figure_4.*")]
    with pytest.raises(UserError, match=r"x.svg: a figure is a .pdf or a .png"):
        write_figure([tmp_path / "x.svg"], None, Figure)


def test_examples_show_answers_that_could_be_read_and_such_that_could_not(tmp_path: Path) -> None:
    write_image(tmp_path)
    others = [{"box": [40.0, 5.0, 50.0, 15.0], "points": []}]
    read = answer((10, 10, 30, 30), [(20, 15, 1), (50, 5, 0)], others=others)
    given = predictions([read, read, answer(None), read])
    answers = Answers("b", samples([sample()] * 4), {"base": [given]})
    outputs = [tmp_path / "world.png", tmp_path / "public.png"]
    for output, micro_world in zip(outputs, ("micro", None), strict=True):
        write_figure([output], micro_world, lambda: draw_examples(answers, tmp_path, 2))
        assert count_colour(output, "#E69F00") > 50  # the box
    left, right = draw_examples(answers, tmp_path, 2).axes
    assert "it fits well\nIoU 1.00" in left.get_xlabel() and "(no_answer)" in right.get_xlabel()
    assert (len(left.patches), len(right.patches)) == (2, 0)
    assert outputs[0].read_bytes() != outputs[1].read_bytes()  # it says that it was drawn


def test_an_example_with_a_box_alone_is_drawn_and_measured_by_it(tmp_path: Path) -> None:
    write_image(tmp_path)
    given = predictions([answer((10, 10, 20, 30)), answer(None)])
    asked = samples([sample(box=[10.0, 10.0, 30.0, 30.0], mask=None)] * 2)
    figure = draw_examples(Answers("b", asked, {"base": [given]}), tmp_path, 2)
    left, _ = figure.axes
    assert left.get_xlabel().endswith("IoU 0.50")
    assert [patch.get_linestyle() for patch in left.patches] == ["dotted", "solid"]


def test_an_example_is_measured_as_its_figures_are(tmp_path: Path) -> None:
    write_image(tmp_path)
    given = predictions([answer((20, 10, 30, 30))] * 4)
    half = encode_mask(fill((10, 10, 20, 30)))
    for dataset, iou in (("reasonseg", "0.50"), ("photos", "1.00")):  # one's own ignores them
        asked = samples([sample(dataset=dataset, ignore=half)] * 4)
        figure = draw_examples(Answers("b", asked, {"base": [given]}), tmp_path, 2)
        assert all(axis.get_xlabel().endswith(f"IoU {iou}") for axis in figure.axes)


def test_curves_leave_out_the_point_reward_where_none_is_given(tmp_path: Path) -> None:
    zero = {"reward_points": [0.0, 0.0], "clip_fraction_high": [0.0, 0.0]}
    figure = draw_curves([write_training(tmp_path, "sam_r1", 0, **zero)])
    titles = {axis.get_title() for axis in figure.axes if axis.axison}
    assert "Point reward" not in titles
    assert {"Reward", "Tokens clipped high, %", "Thought, words"} <= titles and len(titles) == 15


def test_ablations_keep_a_row_to_one_table_and_leave_empty_what_was_not_scored(
    tmp_path: Path,
) -> None:
    published = load_stage(PUBLISHED, Published).tables
    tables = {
        name: published[name].model_copy(
            update={
                "columns": dict(list(published[name].columns.items())[:3]),
                "extra": (Extra(name="Mine", run="mine"),),
            }
        )
        for name in ("table_4", "table_5")
    }
    rows = [row for run in RUNS for row in metric_rows(run, 0.5)]
    rows += [row for row in metric_rows("mine", 0.6) if row["benchmark"] == "refcocog_test"]
    figure = draw_ablations(tables, Measurements([write_metrics(tmp_path, rows)]))
    bars = [len(axis.patches) if axis.axison else None for axis in figure.axes]
    assert bars == [5, 5, 6, None] * 2
    for axis, name in zip(figure.axes[::2], ["table_4"] * 2 + ["table_5"] * 2, strict=True):
        names = [label.get_text() for label in axis.get_yticklabels()]
        assert names == ["Base, no training", *published[name].labels.values(), "Mine"]


def test_several_seeds_are_thin_lines_below_their_mean(tmp_path: Path) -> None:
    files = [write_training(tmp_path, "a", seed, kl=[seed, 4.0]) for seed in (0, 2)]
    files.append(write_training(tmp_path, "b", 0, kl=[5.0, float("nan"), 7.0]))
    axis = Figure().add_subplot()
    plot_runs(axis, read_trainings(files, ["kl"]), "kl")
    lines = [(np.asarray(line.get_ydata()).tolist(), line.get_linewidth()) for line in axis.lines]
    assert [values for values, _ in lines[:3]] == [[0, 4], [2, 4], [1, 4]]
    assert lines[0][1] == lines[1][1] < lines[2][1]
    np.testing.assert_array_equal(lines[3][0], [5, np.nan, 7])
    assert axis.get_legend_handles_labels()[1] == ["a", "b"]


def test_a_step_far_above_all_others_does_not_flatten_them(tmp_path: Path) -> None:
    usual = [0.1, float("nan")] + 98 * [0.2]
    axes = [Figure().add_subplot() for _ in range(2)]
    for name, axis, kl in zip("ab", axes, (usual, [*usual, 1730.0]), strict=True):
        file = write_training(tmp_path, name, 0, kl=kl)
        plot_runs(axis, read_trainings([file], ["kl"]), "kl")
    assert [text.get_text() for text in axes[0].texts] == []
    assert [text.get_text() for text in axes[1].texts] == ["cut off: up to 1,730.0"]
    low, high = axes[1].get_ylim()
    assert 0 < low < 0.1 and high == pytest.approx(0.4)


def test_ten_lines_are_told_apart_without_colour_and_stand_out_from_the_ground() -> None:
    looks = [line_look(index) for index in range(10)]
    assert len({(str(look["linestyle"]), look["marker"]) for look in looks}) == 10
    for colour in (INK, FAINT, *LINES[:4]):
        channels = np.array([to_rgb(colour), to_rgb(GROUND)])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        low, high = sorted(linear @ (0.2126, 0.7152, 0.0722))
        assert (high + 0.05) / (low + 0.05) > 3, colour  # the contrast ratio of WCAG 2
