"""What is looked at before an expensive run starts, one line a check, and the page that says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from samr1.core.errors import UserError

Step = tuple[str, Callable[[], str]]  # what is looked at; the looking, which says what it found


@dataclass(frozen=True)
class Check:
    """One check: what was looked at, whether it holds, and what was found or what to do."""

    name: str
    passed: bool
    found: str


def run_steps(steps: Iterator[Step]) -> list[Check]:
    """Take `steps` one by one until one raises a UserError, which ends them: the rest needs it."""
    checks = []
    for name, look in steps:
        try:
            checks.append(Check(name, True, look()))
        except UserError as error:
            checks.append(Check(name, False, str(error)))
            break
    return checks


def write_page(title: str, checks: list[Check]) -> str:
    """The checks as a Markdown page."""
    rows = []
    for one in checks:
        found = one.found.replace("|", "\\|")  # of <|image_pad|>, say, which would end the cell
        rows.append(f"| {one.name} | {'ok' if one.passed else 'FAILED'} | {found} |")
    return "\n".join([f"# {title}", "", "| check | | found |", "|---|---|---|", *rows, ""])
