"""Figures as they are written: whole, in both themes, the same bytes twice, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from figure_world import answer, draw, predictions, samples, write_training
from made_up_metrics import RUNS, metric_rows, write_metrics, write_stage
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from samr1.cli import draw_ablations, draw_curves, draw_histograms, draw_lengths, figure_4
from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.report.figures import style
from samr1.report.figures.curves import plot_runs, read_runs
from samr1.report.figures.style import DARK, LIGHT, Theme


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_DPI", 40)


def check_written(outputs: list[Path]) -> None:
    """A PDF, and pictures on the ground of their theme that show something in its first colour."""
    pdf, png, dark = outputs
    assert pdf.read_bytes().startswith(b"%PDF")
    for path, theme in ((png, LIGHT), (dark, DARK)):
        picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert colour_count(picture, theme.ground) > 0.3 * picture[..., 0].size
        assert colour_count(picture, theme.ink) + colour_count(picture, theme.lines[0]) > 20


def colour_count(picture: np.ndarray, colour: str) -> int:
    return int((np.abs(picture - 255 * np.array(to_rgb(colour))).sum(-1) < 30).sum())


@pytest.fixture
def points(tmp_path: Path) -> tuple[Path, Path]:
    """Samples, and answers to them with points of both values."""
    table, answers = tmp_path / "bench.parquet", tmp_path / "run/seed_0/bench.parquet"
    write_table(table, samples(3))
    row = answer((10, 10, 30, 20), [(15, 15, 1), (55, 35, 0)])
    write_table(answers, predictions([row, row, answer(None)]))
    return table, answers


def test_figure_4_is_the_same_bytes_twice(tmp_path: Path, points: tuple[Path, Path]) -> None:
    table, answers = points
    training = [
        write_training(tmp_path, run, seed, reward_total=[1.0, 2.0, 3.0])
        for run, seed in (("sam_r1", 0), ("sam_r1", 1), ("no_kl", 0))
    ]
    options = ["--training", *training, "--samples", table, "--any", answers, "--inside", answers]
    outputs = draw(figure_4, tmp_path, *options)
    check_written(outputs)
    first = [path.read_bytes() for path in outputs]
    assert [path.read_bytes() for path in draw(figure_4, tmp_path, *options)] == first


def test_figure_4_is_refused_whole_where_a_sample_has_no_answer(
    tmp_path: Path, points: tuple[Path, Path]
) -> None:
    table, answers = points
    write_table(table, samples(4))
    training = write_training(tmp_path, "sam_r1", 0, kl=[1.0])
    options = ["--training", training, "--samples", table, "--any", answers, "--inside", answers]
    with pytest.raises(UserError, match=r"seed_0/bench.parquet: 1 of 4 samples have no answer"):
        draw(figure_4, tmp_path, *options)
    assert not list(tmp_path.glob("*figure_4*"))


def test_curves_leave_out_the_point_reward_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(style, "_save", lambda figure, path: drawn.append(figure))
    zero = {"reward_points": [0.0, float("nan")], "clip_fraction_high": [0.0, 0.0]}
    draw(draw_curves, tmp_path, "--training", write_training(tmp_path, "sam_r1", 0, **zero))
    titles = {axis.get_title(loc="left") for axis in drawn[0].axes if axis.axison}
    assert "Point reward" not in titles
    assert {"Reward", "Tokens clipped high, %", "Thought, words"} <= titles and len(titles) == 14
    assert "Micro world (scale smoke)" in drawn[0].texts[0].get_text()


def test_several_seeds_are_thin_lines_below_their_mean(tmp_path: Path) -> None:
    files = [write_training(tmp_path, "a", seed, kl=[seed, 4.0]) for seed in (0, 2)]
    files.append(write_training(tmp_path, "b", 0, kl=[5.0, float("nan"), 7.0]))
    axis = Figure().add_subplot()
    plot_runs(axis, read_runs(files), "kl", LIGHT)
    lines = [(np.asarray(line.get_ydata()).tolist(), line.get_linewidth()) for line in axis.lines]
    assert [values for values, _ in lines[:3]] == [[0, 4], [2, 4], [1, 4]]
    assert lines[0][1] == lines[1][1] < lines[2][1]
    np.testing.assert_array_equal(lines[3][0], [5, np.nan, 7])
    assert axis.get_legend_handles_labels()[1] == ["a", "b"]


def test_a_step_far_above_all_others_does_not_flatten_them(tmp_path: Path) -> None:
    usual = [0.1, float("nan")] + 98 * [0.2]
    axes = [Figure().add_subplot() for _ in range(2)]
    for name, axis, kl in zip("ab", axes, (usual, [*usual, 1730.0]), strict=True):
        plot_runs(axis, read_runs([write_training(tmp_path, name, 0, kl=kl)]), "kl", LIGHT)
    assert [text.get_text() for text in axes[0].texts] == []
    assert [text.get_text() for text in axes[1].texts] == ["cut off: up to 1,730.0"]
    low, high = axes[1].get_ylim()
    assert 0 < low < 0.1 and high == pytest.approx(0.4)


def test_ablations_histograms_and_lengths_are_drawn(
    tmp_path: Path, points: tuple[Path, Path]
) -> None:
    rows = [row for run in RUNS for seed in (0, 1) for row in metric_rows(run, 0.5, seed)]
    metrics = write_metrics(tmp_path, rows)
    tables = [write_stage(f"table_{number}", tmp_path, "smoke") for number in (4, 5)]
    check_written(draw(draw_ablations, tmp_path, "--metrics", metrics, "--tables", *tables))
    table, answers = points
    base = tmp_path / "base" / "seed_0" / "bench.parquet"
    write_table(base, predictions([answer((10, 10, 20, 20)), answer(None), answer(None)]))
    both = ["--samples", table, "--titles", "A bench", "--predictions", base, answers]
    check_written(draw(draw_histograms, tmp_path, *both))
    training = write_training(tmp_path, "sam_r1", 0, response_length=[9.0, 8.0])
    check_written(draw(draw_lengths, tmp_path, "--training", training, *both))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_ten_lines_are_told_apart_without_colour_and_stand_out_from_the_ground(
    theme: Theme,
) -> None:
    looks = [theme.line(index) for index in range(10)]
    assert len({(str(look["linestyle"]), look["marker"]) for look in looks}) == 10
    for colour in (theme.ink, theme.faint, *theme.lines[:4]):
        assert contrast(colour, theme.ground) > 3, colour


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2)."""

    def luminance(colour: str) -> float:
        channels = np.array(to_rgb(colour))
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ (0.2126, 0.7152, 0.0722))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
