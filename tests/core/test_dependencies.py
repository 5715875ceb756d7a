"""What the package imports is declared, and what is declared is what the locks install."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DECLARED = {
    canonicalize_name(one.name): one
    for one in map(
        Requirement,
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"],
    )
}
# Of each pair the first imports as a part of the second, which is declared.
PARTS = {"pydantic-core": "pydantic"}


def imported() -> set[str]:
    """The packages, as they are distributed, that modules of `samr1` import."""
    names: set[str] = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {one.name.split(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    foreign = names - set(sys.stdlib_module_names) - {"samr1"}
    known = packages_distributions()
    return {canonicalize_name(known[name][0]) for name in foreign}


def test_what_is_imported_is_declared() -> None:
    assert {PARTS.get(name, name) for name in imported()} <= set(DECLARED)


def test_what_the_locks_install_is_what_is_declared() -> None:
    for name, requirement in DECLARED.items():
        assert requirement.specifier.contains(version(name)), requirement


def test_what_is_declared_is_locked() -> None:
    lines = (ROOT / "envs/requirements.in").read_text().splitlines()
    listed = {canonicalize_name(Requirement(line).name) for line in lines if line[:1].isalpha()}
    assert set(DECLARED) - listed == {"sam2"}  # which has a lock of its own
