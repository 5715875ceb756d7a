"""One page about a data set of one's own, with the pictures of twelve samples beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from samr1.config.own_data import OwnDataStage
from samr1.config.schema import dump_stage
from samr1.core.files import atomic_folder
from samr1.data.own.reading import Reading
from samr1.report.dataset import facts
from samr1.report.dataset.drawing import choose_samples, draw_sample

_DRAWN = 12
_MOST_NAMED = 50  # groups of files with the same pixels


def write_page(stage: OwnDataStage, reading: Reading, output: Path) -> None:
    """Write `output`/index.html and its pictures, whole or not at all.

    Raises UserError where an image cannot be read again, or `output` is somebody else's folder.
    """
    rows = reading.samples.to_pylist()
    chosen = choose_samples(rows, _DRAWN, stage.seed)
    with atomic_folder(output, "check_dataset") as folder:
        for number, row in enumerate(chosen, start=1):
            picture = draw_sample(row, Path(stage.root))
            picture.save(folder / _name(number), quality=90)
        title = f"The data set {stage.name}"
        body = "\n".join(_sections(stage, reading, rows, chosen, title))
        page = _read_template().substitute(title=escape(title), body=body)
        (folder / "index.html").write_text(page, encoding="utf-8", errors="backslashreplace")


def _read_template() -> Template:
    return Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))


def _name(number: int) -> str:
    return f"sample_{number:02}.jpg"


def _sections(
    stage: OwnDataStage,
    reading: Reading,
    rows: list[dict[str, Any]],
    chosen: Sequence[dict[str, Any]],
    title: str,
) -> list[str]:
    shares = facts.target_shares(rows)
    remarks = facts.find_remarks(rows, shares, reading.same_pixels, stage.question)
    return [
        f"<h1>{escape(title)}</h1>",
        f"<p>Read from <code>{escape(stage.root)}</code> by the layout {stage.layout}. "
        f"{_say_target(stage)}</p>",
        _list("Look at this", remarks, "wrong"),
        _show_refused(stage, reading),
        "<h2>What is in it</h2>",
        '<div class="tables">',
        _table(facts.count_parts(rows)),
        _table(facts.measure(rows, shares)),
        _table(facts.count_shares(shares)),
        _table(facts.count_questions(rows)),
        "</div>",
        _section("What is no sample", _table(facts.list_left_out(reading.left_out)))
        if reading.left_out
        else "",
        _list(
            "Files of the same pixels", map(", ".join, reading.same_pixels[:_MOST_NAMED]), "same"
        ),
        _section(f"{len(chosen)} samples, drawn by the seed {stage.seed}", _show(chosen)),
        _section("Its settings", f"<pre>{escape(dump_stage(stage))}</pre>"),
    ]


def _say_target(stage: OwnDataStage) -> str:
    if stage.target == "mask":
        return "The target of a question is a mask."
    return (
        "The target of a question is a box alone: there are no figures of masks, and the IoU that "
        "rewards a training is that of the answer’s box."
    )


def _show_refused(stage: OwnDataStage, reading: Reading) -> str:
    """What is wrong, by kind; nothing where nothing is."""
    if not reading.refused:
        return ""
    kept = len(reading.samples)
    what = "are skipped" if stage.on_bad_sample == "skip" else "stop the indexing"
    told = f"{len(reading.refused):,} samples cannot be used and {what}; {kept:,} can."
    groups = []
    for count, first in facts.group_refused(reading.refused):
        more = f" … and {count - len(first):,} more like these" if count > len(first) else ""
        groups.append("<br>".join(map(escape, first)) + more)
    items = "".join(f"<li>{group}</li>" for group in groups)
    return _section("What is wrong", f'<p>{told}</p><ul class="wrong">{items}</ul>')


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content}"


def _list(title: str, items: Iterable[str], name: str = "") -> str:
    shown = "".join(f"<li>{escape(item)}</li>" for item in items)
    return _section(title, f'<ul class="{name}">{shown}</ul>') if shown else ""


def _table(table: facts.Table) -> str:
    head, *rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table)
    head = head.replace("td>", "th>")
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _show(chosen: Sequence[dict[str, Any]]) -> str:
    figures = (
        f'<li><figure><img src="{_name(number)}" alt=""><figcaption>{escape(row["query"])}'
        f"<span>{escape(row['sample_id'])} · {row['split']} · {row['width']}×{row['height']} · "
        f"{share:.1%} of the image</span></figcaption></figure></li>"
        for number, (row, share) in enumerate(
            zip(chosen, facts.target_shares(chosen), strict=True), start=1
        )
    )
    legend = (
        "<p>Green is the outline of the target, with a light fill; ignored pixels are dark.</p>"
    )
    return f'{legend}<ul class="samples">{"".join(figures)}</ul>'
