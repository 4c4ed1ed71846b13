"""scikit-learn's own tests of its searches, run on ours.

`suite` executes ``sklearn.model_selection.tests.test_search`` from the installed wheel with
some of scikit-learn's searches replaced by ours: the tests are theirs to the letter.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import sklearn.model_selection


def suite(name: str, replaced: dict[str, type]) -> ModuleType:
    """Return a fresh copy of the test module that has met `replaced` in its imports."""
    path = Path(sklearn.model_selection.__file__).parent / "tests" / "test_search.py"
    module = ModuleType(name)
    module.__file__ = str(path)
    code = compile(path.read_text(), str(path), "exec")
    with mock.patch.multiple(sklearn.model_selection, **replaced):
        exec(code, vars(module))
    return module


def collect(module: ModuleType, not_applicable: dict[str, str]) -> dict[str, Any]:
    """Return what the module defines; tests that cannot apply are skipped with their reason."""
    tests = {name: test for name, test in vars(module).items() if not name.startswith("__")}
    unknown = set(not_applicable) - set(tests)
    assert not unknown, f"not tests of scikit-learn's: {sorted(unknown)}"
    for name, reason in not_applicable.items():
        tests[name] = pytest.mark.skip(reason=reason)(tests[name])
    return tests
