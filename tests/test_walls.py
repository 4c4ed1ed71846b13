"""Walls that import-linter cannot express."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sk_hpo

ROOT = Path(sk_hpo.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """Yield the dotted names that `source` imports, wherever the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def private_sklearn(source: str) -> list[str]:
    return [
        name
        for name in imported(source)
        if name.startswith("sklearn.") and any(part[0] == "_" for part in name.split("."))
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_one_module_imports_private_names_of_sklearn(path: Path) -> None:
    found = private_sklearn(path.read_text())
    assert not found or path.name == "_sklearn.py"


def test_private_names_are_found() -> None:
    source = (
        "import sklearn.utils._x\ndef f():\n    from sklearn.base import _fit_context, clone"
    )
    assert private_sklearn(source) == ["sklearn.utils._x", "sklearn.base._fit_context"]


def test_importing_the_package_imports_no_extra() -> None:
    # scikit-learn imports pandas where it is installed.
    extras = "torch", "skorch", "matplotlib", "pandas", "polars", "dask", "distributed", "ray"
    code = (
        "import sys, sklearn.model_selection; before = set(sys.modules)\n"
        f"import sk_hpo; print(*set({extras}) & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.split() == []
