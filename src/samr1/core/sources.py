"""The files that a command is made of, found by following its imports.

A rule names them as inputs, so that an edit there runs it again and one elsewhere does not.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

_DOCUMENTS = {".py", ".md"}  # the code itself, and what no program reads


@cache
def find_sources(module: str, root: Path) -> tuple[Path, ...]:
    """The files below `root` that `module` is made of: its own, and those of all that it imports.

    Imports are read and not run, those inside of functions too; what imports by a name that it gets
    may import any module beside it. What stands beside a module and is no Python, as the style of a
    page, is read by it.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        files = [file for file in _locate(waiting.pop(), root) if file not in found]
        found.update(files)
        waiting += [name for file in files for name in _list_imports(file, root)]
    beside = (file for folder in {one.parent for one in found} for file in folder.iterdir())
    data = {file for file in beside if file.is_file() and file.suffix not in _DOCUMENTS}
    return tuple(sorted(found | data))


@cache
def _locate(module: str, root: Path) -> tuple[Path, ...]:
    """The file of a module, and those of the packages around it; none of what is not there."""
    place = root.joinpath(*module.split("."))
    packages = [place, *place.parents][: module.count(".") + 1]
    files = [*(package / "__init__.py" for package in packages), place.with_suffix(".py")]
    return tuple(file for file in files if file.is_file())


@cache
def _list_imports(file: Path, root: Path) -> tuple[str, ...]:
    """What a file imports; a name imported from a package may be a module of it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            names += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        elif isinstance(node, ast.Name) and node.id == "import_module":
            beside = (one.relative_to(root).with_suffix("") for one in file.parent.glob("*.py"))
            names += [".".join(one.parts) for one in beside]
    return tuple(names)
