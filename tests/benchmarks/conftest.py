"""The benchmarks are scripts and a package beside them, neither of which is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))


@pytest.fixture
def benchmarks() -> Path:
    """The folder of the scripts."""
    return BENCHMARKS
