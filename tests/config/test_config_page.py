from __future__ import annotations

from pathlib import Path

from commands import call

from samr1.cli import document_config
from samr1.config.page import config_page

SETTINGS = Path(__file__).parents[2] / "config"


def _rows() -> dict[str, list[str]]:
    lines = config_page(SETTINGS).replace("\\|", "/").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return {cells[0].strip("`"): cells[1:] for cells in rows}


def test_the_committed_page_is_the_schema_s() -> None:
    committed = (SETTINGS / "README.md").read_text(encoding="utf-8")
    assert committed == config_page(SETTINGS), (
        "write it again: python -m samr1.cli.document_config --output config/README.md"
    )


def test_every_key_says_what_it_is() -> None:
    assert not [key for key, cells in _rows().items() if not cells[-1]]


def test_rows_tell_bounds_choices_and_both_scales_values() -> None:
    rows = _rows()
    assert rows["train.group_size"][:3] == ["whole number ≥ 2", "`8`", "`8`"]
    assert rows["reward.threshold"][:3] == ["number > 0, < 1 or `null`", "`null`", "`null`"]
    assert rows["policy.dtype"][:3] == ["`float32`, `bfloat16`", "`float32`", "`bfloat16`"]
    assert rows["policy.path"][2].endswith("@cc59489…`")


def test_the_command_writes_it(tmp_path: Path) -> None:
    output = tmp_path / "page.md"
    call(document_config.main, config_dir=SETTINGS, output=output)
    assert output.read_text(encoding="utf-8") == config_page(SETTINGS)
