"""Which files a command is made of: what it imports, and what that imports, and no more."""

from __future__ import annotations

from pathlib import Path

import samr1
from samr1.core.sources import find_sources

SOURCE = Path(samr1.__file__).parents[1]
FILES = {
    "house/__init__.py": "",
    "house/cli/__init__.py": "import house.never_run",
    "house/cli/draw.py": "from house.report import page\nfrom os import path",
    "house/report/__init__.py": "",
    "house/styles/__init__.py": "from importlib import import_module\nimport_module('x')",
    "house/styles/plain.py": "",
    "house/report/page.py": "import house.styles\ndef draw():\n    import house.core.files as it",
    "house/report/page.css": "",
    "house/report/README.md": "",
    "house/report/other.py": "import house.core.tables",
    "house/core/__init__.py": "from house.core.words import word",
    "house/core/files.py": "",
    "house/core/words.py": "from __future__ import annotations\nword = 1",
    "house/core/tables.py": "",
    "house/core/known/sizes.json": "{}",
}


def test_imports_are_followed_to_the_end_and_nothing_else_is_named(tmp_path: Path) -> None:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = {str(file.relative_to(tmp_path)) for file in find_sources("house.cli.draw", tmp_path)}
    apart = {"report/README.md", "report/other.py", "core/tables.py", "core/known/sizes.json"}
    assert found == FILES.keys() - {f"house/{name}" for name in apart}


def test_a_table_is_made_of_the_bootstrap_and_not_of_the_training() -> None:
    found = {str(file.relative_to(SOURCE)) for file in find_sources("samr1.cli.make_table", SOURCE)}
    assert {"samr1/evaluation/bootstrap.py", "samr1/report/tables/page.py"} <= found
    assert not [name for name in found if name.startswith(("samr1/train", "samr1/policy"))]


def test_the_gallery_is_made_of_its_scripts_and_style_too() -> None:
    found = {file.name for file in find_sources("samr1.cli.draw_gallery", SOURCE)}
    assert {"page.html", "page.css", "page.js"} <= found
