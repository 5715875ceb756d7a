"""The report as a page that a person reads: what was missed first, then every stage."""

from __future__ import annotations

from collections.abc import Sequence

from samr1.gpu.findings import Finding
from samr1.gpu.run import NO_CARD, Outcome, Report

_MARKS = {True: "✓", False: "✗", None: "–"}
_INTRODUCTION = """\
Measured by `python -m samr1.cli.check_gpu{size}` with random weights{widths}; nothing was
downloaded. ✓ and ✗ say whether a bar was reached, – that there is none or that it was not measured
here. Each stage ran in a process of its own and within its share of {minutes:g} minutes.
"""


def to_page(report: Report) -> str:
    """The report as Markdown."""
    tiny = report.size == "tiny"
    introduction = _INTRODUCTION.format(
        size=" --size tiny" * tiny,
        widths=" of tiny widths" if tiny else " of the 7B's published widths",
        minutes=report.minutes,
    )
    bars = [one for stage in report.stages for one in stage.findings if one.bar]
    measured = [one.passed for one in bars if one.passed is not None]
    missing = len(bars) - len(measured)
    said = f"{sum(measured)} of {len(measured)} bars reached, {missing} not measured."
    parts = [
        f"# {report.card}",
        f"{report.started}, {report.seconds:.0f} s. {said}",
        introduction.strip(),
    ]
    if report.card == NO_CARD:
        parts.append(
            "**A run on a CPU**: it shows that every stage runs and what this page looks like, "
            "and says nothing of any GPU."
        )
    parts += [_trouble(report), "## The bars", _table(bars)]
    for stage in report.stages:
        parts += _stage(stage)
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(stage: Outcome) -> str:
    """A stage in one line, for who waits."""
    bars = [one.passed for one in stage.findings if one.passed is not None]
    said = f"{stage.what}: {stage.state}, {stage.seconds:.0f} s, {sum(bars)} of {len(bars)} bars"
    return f"{said} ({stage.reason})" if stage.reason else said


def _trouble(report: Report) -> str:
    """What was missed, and which stages did not come to their end; in one list."""
    lines = [f"- ✗ {one.what}: {_value(one)}, and the bar is {one.bar}" for one in report.missed()]
    lines += [f"- ✗ {one.what}: {one.state} ({one.reason})" for one in report.unfinished()]
    return "\n".join(["## What was missed", "", *lines]) if lines else ""


def _stage(stage: Outcome) -> list[str]:
    mark = "" if stage.state == "done" else f"✗ {stage.state}: {stage.reason}. "
    parts = [f"## {stage.what}", f"{mark}{stage.seconds:.0f} s."]
    if stage.findings:
        parts.append(_table(stage.findings))
    if stage.traceback:
        parts.append(f"```\n{stage.traceback.strip()}\n```")
    return parts


def _table(findings: Sequence[Finding]) -> str:
    rows = [("", "what", "measured", "bar", "")]
    rows += [(_MARKS[one.passed], one.what, _value(one), one.bar, one.note) for one in findings]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|---|---|---:|---:|---|")
    return "\n".join(lines)


def _value(finding: Finding) -> str:
    value = finding.value
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        value = f"{value:,}"
    elif isinstance(value, float):
        value = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value} {finding.unit}".strip()
